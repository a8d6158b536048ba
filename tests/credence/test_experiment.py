"""An experiment splits rows, fits every candidate and chooses the one with the lowest loss."""

from pathlib import Path

import numpy as np
import pytest

from credence.core.registry import ModelSpec
from credence.data.rows import model_inputs
from credence.experiment import run_experiment, tune
from credence.task import Task

ROOT = Path(__file__).parents[2]
QUICK = {"models": [{"kind": "logistic", "folds": 2}, {"kind": "bagging", "folds": 2}]}


@pytest.fixture(scope="module")
def task() -> Task:
    return Task.read(ROOT / "tasks" / "breast_cancer.yaml", QUICK)


def test_the_challenger_has_the_lowest_loss_and_no_part_overlaps(task: Task) -> None:
    rows = task.rows()
    found = run_experiment(task, rows)
    assert found.challenger is found.contenders[int(np.argmin(found.losses))]
    ids = [set(part["row_id"]) for part in (found.train, found.calibration, found.test)]
    assert len(set.union(*ids)) == sum(map(len, ids)) == len(rows)


def test_a_search_changes_parameters_and_no_search_changes_nothing(task: Task) -> None:
    rows = task.rows()
    X, y = model_inputs(rows), rows["label"].to_numpy()
    plain = ModelSpec(kind="logistic")
    assert tune(plain, X, y) is plain
    seen: list[int] = []
    searched = ModelSpec(kind="logistic", search={"trials": 2, "folds": 2})
    best = tune(searched, X, y, lambda number, parameters, loss: seen.append(number))
    assert (best.kind, best.search, len(seen)) == ("logistic", None, 2)
    assert best.model_extra

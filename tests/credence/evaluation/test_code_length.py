"""The prequential code: never shown what it codes, equal to what is known of counting, and told in the report."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from credence.core.errors import InputError
from credence.core.registry import ModelSpec
from credence.data.rows import to_canonical_rows
from credence.evaluation.code_length import boundaries, kt_bits, prequential_bits, prequential_code_length
from credence.experiment import run_experiment
from credence.model import Model
from credence.reporting.model_report import build_report
from credence.reporting.model_report.sentences import code_length_sentence
from credence.reporting.number_format import format_number
from credence.statistics.uncertainty import Array
from credence.task import Task


def test_blocks_double_and_cover_every_row_once() -> None:
    assert boundaries(10_000) == [100, 200, 400, 800, 1600, 3200, 6400, 10_000]
    assert boundaries(3) == [1, 2, 3]
    assert boundaries(1) == [1]


@given(st.integers(1, 100_000))
def test_the_last_block_ends_with_the_last_row(n: int) -> None:
    ends = boundaries(n)
    assert ends == sorted(set(ends)) and ends[0] >= 1 and ends[-1] == n


def test_row_by_row_the_code_of_counts_is_that_of_krichevsky_and_trofimov() -> None:
    y = (np.random.default_rng(0).random(60) < 0.3).astype(int)

    def coder(first: int, last: int) -> Array:
        chance = (y[:first].sum() + 0.5) / (first + 1)
        return -np.log(np.where(y[first:last] == 1, chance, 1 - chance))

    bits = prequential_code_length(coder, range(1, 61))
    assert sum(bits) == pytest.approx(kt_bits(int(y.sum()), 60 - int(y.sum())), rel=1e-9)
    assert sum(prequential_code_length(coder, boundaries(60))) > sum(bits)


def test_the_code_never_shows_the_block_it_codes() -> None:
    asked: list[tuple[int, int]] = []

    def coder(first: int, last: int) -> Array:
        asked.append((first, last))
        return np.full(last - first, np.log(2))

    assert prequential_code_length(coder, [5, 10, 20]) == pytest.approx([5, 5, 10])
    assert asked == [(5, 10), (10, 20)]
    with pytest.raises(InputError, match="grow"):
        prequential_code_length(coder, [5, 5])


def told(n: int, seed: int = 0) -> tuple[pd.DataFrame, Any]:
    """Rows whose answer hangs on one of two columns."""
    X = pd.DataFrame(np.random.default_rng(seed).normal(size=(n, 2)), columns=["size", "noise"])
    return X, (X["size"] + 0.3 * X["noise"] > 0).to_numpy().astype(np.int64)


def test_each_block_is_coded_by_a_model_of_the_rows_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    X, y = told(300)
    fitted: list[tuple[int, set[float]]] = []
    fit = Model.fit

    def watched(self: Model, X: pd.DataFrame, y: Any) -> Model:
        fitted.append((len(y), set(X["size"])))
        return fit(self, X, y)

    monkeypatch.setattr(Model, "fit", watched)
    prequential_bits(ModelSpec(kind="logistic", folds=1), X, y)
    assert [rows for rows, _ in fitted] == boundaries(300)[:-1]
    assert all(before < after for (_, before), (_, after) in pairwise(fitted))


def test_what_can_be_learned_costs_less_and_chance_about_a_bit() -> None:
    X, y = told(400)
    learned = prequential_bits(ModelSpec(kind="logistic", folds=1), X, y)
    chance = np.random.default_rng(1).integers(0, 2, 400)
    assert learned < 0.5 and 0.95 < prequential_bits(ModelSpec(kind="logistic", folds=1), X, chance) < 1.5


def test_blocks_after_answers_of_one_kind_are_coded_by_counting() -> None:
    X, _ = told(200)
    rare = np.eye(1, 200, dtype=np.int64)[0]
    assert prequential_bits(ModelSpec(kind="logistic", folds=1), X, rare) < 0.3
    ends = boundaries(200)
    counted = ends[0] - sum((b - a) * np.log2((a + 0.5) / (a + 1)) for a, b in pairwise(ends))
    assert prequential_bits(ModelSpec(kind="logistic"), X, np.zeros(200, dtype=np.int64)) == pytest.approx(
        counted / 200
    )


def test_a_task_that_asks_for_it_finds_it_in_the_report(tmp_path: Path) -> None:
    X, y = told(400)
    X.assign(answer=y).to_csv(tmp_path / "rows.csv", index=False)
    page = tmp_path / "sizes.yaml"
    page.write_text(
        f"question: Is it large?\nsource: {{kind: csv, path: {tmp_path}/rows.csv}}\n"
        'columns: {label: answer, positive: "1"}\n'
        "models: [{kind: logistic, prequential: true}, {kind: bayesian_logistic}]\n"
    )
    task = Task.read(page)
    held = run_experiment(task, to_canonical_rows(task.source.build().read(), task.columns, task.split.split_columns()))
    report = build_report(held.contenders, 0, None, held.test, "accuracy", resamples=50)
    bits = {c.title: c.prequential_bits for c in report.candidates}
    measured = held.contenders[0].model.prequential_bits
    assert bits == {"logistic": measured, "bayesian_logistic": None, "share of yes": None}
    assert f"a training label takes {format_number(bits['logistic'])} with logistic (bits)" in code_length_sentence(
        report
    )
    assert "bayesian" not in code_length_sentence(report)
    assert report.flat()["test/bits_prequential"] == measured
    held.contenders[0].model.save(tmp_path)
    assert Model.load(tmp_path).prequential_bits == bits["logistic"]

"""Columns may be called anything: what Python, pandas, pydantic and this project use themselves is no exception."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bentos.schema.models import example_of, requests_table, row_model
from bentos.schema.request_errors import parse_request
from credence.data.drafting import draft_task
from credence.data.rows import original_name, to_canonical_rows
from credence.evaluation.explain import explain_rows, importance
from credence.experiment import Experiment, run_experiment
from credence.task import Task

NAMES = [
    "self",
    "group",
    "group_",
    "label",
    "text",
    "row_id",
    "key",
    "when",
    "origin",
    "part",
    "class",
    "index",
    "predict",
    "model_config",
    "json",
    "schema",
    "rows",
    "a.b",
    "a[b]<c>",
    '{x: "y"}',
    "Ünïcödé näme",
    "🚀 speed",
    "none",
    "0",
]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Experiment:
    place, rng = tmp_path_factory.mktemp("odd"), np.random.default_rng(0)
    raw = pd.DataFrame({name: rng.normal(size=400) for name in NAMES})
    raw["text"] = rng.choice(["red", "blue"], 400)
    raw["answer"] = np.where(raw["self"] + raw["🚀 speed"] + (raw["text"] == "red") > 0.5, "yes", "no")
    raw.to_csv(place / "odd.csv", index=False)
    made = draft_task(raw, "odd", {"kind": "csv", "path": str(place / "odd.csv")}, "answer")
    made.write(place / "odd.yaml")
    task = Task.read(Path(place / "odd.yaml"), {"models": [{"kind": "logistic"}]})
    return run_experiment(task, to_canonical_rows(task.source.build().read(), task.columns, task.split.split_columns()))


def test_they_are_learned_from_under_their_own_names(found: Experiment) -> None:
    assert [original_name(n) for n in found.challenger.info.schema_.names()] == NAMES
    weights = importance(found.challenger, found.test)
    assert set(weights["column"].iloc[:3]) == {"self", "🚀 speed", "text"}
    assert {name for name, _ in explain_rows(found.challenger, found.test.head(1))[0]} == set(NAMES)


def test_they_are_asked_for_under_their_own_names(found: Experiment) -> None:
    info = found.challenger.info
    model = row_model(info)
    body = {original_name(c.name): example_of(c) for c in info.schema_.columns}
    row = parse_request(model, json.dumps(body).encode(), model)
    answer = found.challenger.predict(requests_table([row], info.schema_))
    assert answer["label"].isin(["no", "yes"]).all()
    assert set(body) == set(NAMES)

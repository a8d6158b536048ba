"""The monitoring pipeline over a real log and a real registry: verdict, pages, alerts, the bet that goes on."""

import json
from collections.abc import Callable
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from zenml import Model, link_artifact_to_model, save_artifact
from zenml.client import Client
from zenml.enums import ArtifactType, StackComponentType

from credence.core.errors import InputError
from credence.core.paths import log_folder, monitoring_folder
from credence.data.prediction_log.closed_segments import write_segment
from credence.data.prediction_log.schema import FEEDBACK, PREDICTION, feedback_record
from credence.data.prediction_log.schema import records_table as arrow
from credence.production.monitoring import Monitoring
from credence.task import Task
from materializers.folder import FolderMaterializer
from pipelines.monitoring import monitoring
from steps.monitoring.load_predictions import load_predictions
from steps.shared.model_versions import download_predictor
from steps.shared.registry import promote_in_registry
from tests.support.monitoring_cases import logged, table, watched

NUMBERS = count()
MORNING, NOON, NIGHT = (pd.Timestamp(f"2025-03-01T{hour}:00", tz="UTC") for hour in ("08", "12", "20"))
Watch = Callable[..., dict[str, Any]]


@pytest.fixture
def name(tmp_path: Path) -> str:
    """A task whose first version is champion."""
    name = f"watched_{next(NUMBERS)}"
    Client().create_model(name)
    made = Client().create_model_version(name)
    for thing, kind in ((predictor(name), "predictor"), (table(400, 9), "test")):
        options: dict[str, Any] = {"materializer": FolderMaterializer} if kind == "predictor" else {}
        artifact = save_artifact(thing, kind, artifact_type=ArtifactType.DATA, **options)
        link_artifact_to_model(artifact, Model(name=name, version=made.number))
    version = Client().get_model_version(name, made.number)
    promote_in_registry(version, download_predictor(version, tmp_path), "gate", "the first")
    return name


def predictor(name: str) -> Any:
    found = watched().with_version(f"{name}:1")
    return type(found)(found.model, found.info.model_copy(update={"task": name}), found.reference, found.seen)


def answer(name: str, rows: pd.DataFrame, start: pd.Timestamp, **columns: Any) -> None:
    """A segment of the log with these answers, and one with their truth."""
    log = logged(predictor(name), rows, start, **columns)
    told = [
        feedback_record(r, "yes" if t else "no", 0, w.to_pydatetime())
        for r, t, w in zip(log["request_id"], log["truth"], log["time"], strict=True)
    ]
    write_segment(
        log_folder(name) / "predictions", f"p{start.hour}", arrow(log[PREDICTION.names].to_dict("records"), PREDICTION)
    )
    write_segment(log_folder(name) / "feedback", f"f{start.hour}", arrow(told, FEEDBACK))


@pytest.fixture
def watch(name: str) -> Watch:
    """Runs the pipeline over a window; what it stored."""

    def run(since: pd.Timestamp, until: pd.Timestamp, **section: Any) -> dict[str, Any]:
        task = Task(
            name=name,
            question="Is it so?",
            source={"kind": "sklearn", "name": "breast_cancer"},
            columns={"label": "ill", "positive": "yes"},
            models=[{"kind": "logistic"}],
            monitoring=section,
        )
        pipeline = monitoring.with_options(model=Model(name=name, version="production"))
        done = pipeline(task=task, since=since.isoformat(), until=until.isoformat(), tracked=False)
        return {k: v[0].load() for step in done.steps.values() for k, v in step.outputs.items()}

    return run


def test_a_quiet_window_then_one_that_drifted(name: str, watch: Watch) -> None:
    answer(name, table(500, 3), MORNING)
    quiet = watch(MORNING, NOON)
    assert quiet["health"].verdict == "quiet" and quiet["sent"] == []
    assert latest(name)["verdict"] == "quiet"
    assert "<html" in quiet["monitoring"] and "root_metric" in quiet["evidently"]
    assert quiet["recommendation"] == ""

    older = table(500, 4)
    answer(name, older.assign(age=older["age"] + 15), NOON)
    drifted = watch(NOON, NIGHT, retrain=True)
    health = drifted["health"]
    assert health.verdict == "drift" and "age" in health.drift.drifted() and health.retrain
    assert latest(name)["verdict"] == "drift"
    assert health.sequential.memory.rows > quiet["health"].sequential.memory.rows
    filed = (monitoring_folder(name) / "alerts.jsonl").read_text().splitlines()
    assert len(filed) == 1 and json.loads(filed[0])["severity"] == "critical" and "age" in filed[0]


def latest(name: str) -> Any:
    return json.loads((monitoring_folder(name) / "latest.json").read_text())


def test_a_challenger_is_compared_on_all_that_both_answered(name: str, watch: Watch) -> None:
    rows = table(200, 5)
    answer(name, rows, MORNING)
    ours = logged(predictor(name), rows, MORNING)
    theirs = ours.assign(role="challenger", delivered=False, version=f"{name}:2", probability=0.5)
    write_segment(log_folder(name) / "predictions", "c", arrow(theirs[PREDICTION.names].to_dict("records"), PREDICTION))
    found = watch(MORNING, NOON)
    assert found["health"].operations.records == 200, "a copy is no traffic"
    assert f"{name}:2" in found["recommendation"] or "challenger" in found["recommendation"]
    assert "<svg" in found["trial"] or "<img" in found["trial"]


@pytest.mark.parametrize(
    ("since", "until", "version", "sentence"),
    [
        (NOON, NIGHT, None, "holds no answer in the window"),
        (MORNING, NOON, "somebody:7", "no answer in the window is by version"),
    ],
)
def test_a_window_that_says_nothing_is_one_sentence(
    since: pd.Timestamp, until: pd.Timestamp, version: str | None, sentence: str, name: str, watch: Watch
) -> None:
    answer(name, table(60, 3), MORNING, **({"version": version} if version else {}))
    with pytest.raises(InputError, match=sentence):
        watch(since, until)


def test_without_a_log_there_is_nothing_to_watch(name: str) -> None:
    with pytest.raises(InputError, match=rf"^there is no log of {name!r} in .*; serve it with make serve, and ask"):
        load_predictions.entrypoint(name, ("no", "yes"), Monitoring(), None, None)


@pytest.mark.parametrize("wrong", ["yesterday", "2025-13-01", "12:00"])
def test_a_moment_that_is_none_is_one_sentence(wrong: str, name: str) -> None:
    (log_folder(name) / "predictions").mkdir(parents=True)
    with pytest.raises(InputError, match=rf"^'{wrong}' is not a date or time; expected one such as 2024-01-31"):
        load_predictions.entrypoint(name, ("no", "yes"), Monitoring(), wrong, None)


def test_a_window_of_rows_takes_the_newest(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("steps.shared.tracking.log_metadata", lambda *_, **__: None)
    answer(name, table(50, 3), MORNING)
    until = datetime.fromisoformat(NIGHT.isoformat()).isoformat()
    window, reading = load_predictions.entrypoint(name, ("no", "yes"), Monitoring(window=20), None, until)
    assert len(window) == 20 and window["time"].min() == MORNING + pd.Timedelta(seconds=30)
    assert reading["dropped"] == 0 and reading["skipped"] == []


ALERTER = '''
"""An alerter of the tests: it writes what it is told into a file."""

from pathlib import Path
from zenml.alerter.base_alerter import BaseAlerter, BaseAlerterConfig, BaseAlerterFlavor


class NoteConfig(BaseAlerterConfig):
    file: str


class Note(BaseAlerter):
    def post(self, message, params=None):
        with Path(self.config.file).open("a") as notes:
            notes.write(message + "\\n")
        return True

    def ask(self, question, params=None):
        return True


class NoteFlavor(BaseAlerterFlavor):
    name = "note"
    config_class = NoteConfig
    implementation_class = Note
'''


def test_the_alerter_of_the_stack_is_told(
    name: str, watch: Watch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "note_alerter.py").write_text(ALERTER)
    monkeypatch.syspath_prepend(tmp_path)
    client, before = Client(), Client().active_stack_model
    client.create_flavor("note_alerter.NoteFlavor", StackComponentType.ALERTER)
    client.create_stack_component("note", "note", StackComponentType.ALERTER, {"file": str(tmp_path / "notes")})
    parts = {r: c[0].id for r, c in before.components.items()}
    client.create_stack("with_alerter", {**parts, StackComponentType.ALERTER: "note"})
    client.activate_stack("with_alerter")
    try:
        answer(name, table(400, 4).assign(age=90.0), NOON)
        told = watch(NOON, NIGHT)["sent"]
    finally:
        client.activate_stack(before.id)
    assert told[-1] == "the stack's alerter: sent"
    assert (tmp_path / "notes").read_text().startswith(f"{name}, ")

"""Steps as plain functions, and what they store: back as it was, and equal content has an equal hash everywhere."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from zenml.client import Client

from credence.core.errors import InputError
from credence.core.paths import log_folder
from credence.core.registry import ModelSpec, SourceSpec
from credence.data.prediction_log.closed_segments import write_segment
from credence.data.prediction_log.reader import join_feedback, read_feedback, read_predictions
from credence.data.prediction_log.schema import FEEDBACK, PREDICTION
from credence.data.rows import model_inputs, to_canonical_rows
from credence.data.split import PARTS, Split
from credence.predictor import Predictor
from credence.production.ab_test import compare_on_traffic, pair_answers
from credence.production.monitoring import Monitoring
from credence.production.monitoring.run import monitor_window
from credence.production.monitoring.window import Window
from materializers.folder import FolderMaterializer
from materializers.rows import RowsMaterializer
from steps.monitoring import compare_challenger as comparing
from steps.monitoring import examine_window as looking
from steps.shared import tracking
from steps.shared.bento_process import run_bentos
from steps.shared.raw_table import read_raw_table
from steps.training.split_rows import split_rows
from steps.training.train_model import train_model
from tests.support.ab_test_cases import START, log
from tests.support.monitoring_cases import logged, shown, watched
from tests.support.monitoring_cases import table as patients
from tests.support.serving_cases import TABLE, raw_table, trained
from tests.support.small_kinds import small

ROOT = Path(__file__).parents[2]
HASHES = """
import json, sys
sys.path[:0] = sys.argv[1:3]
from tests.support.serving_cases import TABLE, raw_table, trained
from tests.support.small_kinds import small
from credence.data.rows import to_canonical_rows
from materializers.folder import FolderMaterializer
from materializers.rows import RowsMaterializer
from zenml.client import Client
store = Client().active_stack.artifact_store
rows = RowsMaterializer("nowhere", store).compute_content_hash(to_canonical_rows(raw_table(), TABLE))
folder = FolderMaterializer("nowhere", store).compute_content_hash(timeless(trained(small("logistic"), "hashes")[0]))
print(json.dumps([rows, folder]))
"""
TIMELESS = """
def timeless(predictor):
    predictor.model._fit_seconds = predictor.model._cpu_seconds = 0.0
    predictor.info = predictor.info.model_copy(update={"fit_seconds": 0.0})
    return predictor
"""


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    return to_canonical_rows(raw_table(), TABLE)


@pytest.fixture
def place(tmp_path: Path) -> str:
    """A folder inside the artifact store, which is all that a materializer may write to."""
    folder = Path(Client().active_stack.artifact_store.path) / "tests" / tmp_path.name
    folder.mkdir(parents=True)
    return str(folder)


def test_splitting_deals_every_row_once(rows: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[object] = []
    monkeypatch.setattr(tracking, "log_metadata", told.append)
    parts = split_rows.entrypoint(rows, Split())
    assert told == [{name: len(part) for name, part in zip(PARTS, parts, strict=True)}]
    assert sorted(pd.concat(parts)["row_id"]) == sorted(rows["row_id"])
    assert all(list(part.index) == list(range(len(part))) for part in parts)


def test_training_gives_a_model_that_draws(rows: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracking, "log_metadata", lambda *_, **__: None)
    model = train_model.entrypoint(rows, ModelSpec(kind="logistic"))
    assert model.draws(model_inputs(rows)).shape[1] == len(rows)


def test_a_window_is_read_once_for_the_verdict_and_for_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """`Window.of` types every row of the log, which takes longest of all that monitoring does."""
    predictor, reads = watched(), []
    of = Window.of
    monkeypatch.setattr(Window, "of", lambda *given: reads.append(given) or of(*given))
    for name, found in {"champion_version": 1, "load_predictor": predictor, "load_memory": None}.items():
        monkeypatch.setattr(looking, name, lambda *_, found=found: found)
    monkeypatch.setattr(looking, "test_set_answers", lambda *_: shown(predictor, patients(200, 9)))
    monkeypatch.setattr(tracking, "log_metadata", lambda *_, **__: None)
    window, reading = logged(predictor, patients(200)), {"dropped": 2, "skipped": []}
    health, _, page = looking.examine_window.entrypoint(window, reading, "case", Monitoring(), "accuracy", 0.0)
    assert len(reads) == 1
    assert (health.drift.rows, health.operations.dropped) == (200, 2) and "dose, mg" in page
    test = shown(predictor, patients(200, 9))
    assert health.drift == monitor_window(predictor, window, Monitoring(), test=test).drift


def test_a_challenger_is_compared_by_the_columns_that_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A log is long and wide; whatever is not compared stays on the disk."""
    folder, given = log_folder("compared"), log(60).drop(columns=["truth", "answered_at"])
    truths = [{"request_id": f"r{i}", "row": 0, "time": START, "label": "yes"} for i in range(30)]
    write_segment(folder / "predictions", "one", pa.Table.from_pylist(given.to_dict("records"), PREDICTION))
    write_segment(folder / "feedback", "one", pa.Table.from_pylist(truths, FEEDBACK))
    expected = compare_on_traffic(
        pair_answers(join_feedback(read_predictions(folder).frame, read_feedback(folder).frame, ("no", "yes")).frame)
    )
    seen: list[pd.DataFrame] = []
    monkeypatch.setattr(tracking, "log_metadata", lambda *_, **__: None)
    monkeypatch.setattr(
        comparing, "join_feedback", lambda frame, *rest: seen.append(frame) or join_feedback(frame, *rest)
    )
    said, drawn = comparing.compare_challenger.entrypoint("compared", ("no", "yes"))
    assert said.startswith(expected.sentence) and "30 labelled rows" in said and "t:2" in drawn
    assert not {*seen[0]} & {"set", "reasons", "uncertainty", "low", "high", "delivered"}


def test_rows_come_from_the_source_or_from_the_artifact_store(tmp_path: Path) -> None:
    raw_table().to_csv(tmp_path / "table.csv", index=False)
    assert len(read_raw_table(SourceSpec(kind="csv", path=str(tmp_path / "table.csv")))) == len(raw_table())
    with pytest.raises(InputError, match=r"^source\.name: no pipeline has stored rows as 'nothing' yet\.$"):
        read_raw_table(SourceSpec(kind="artifact", name="nothing"))


def test_the_serving_side_is_told_about_in_its_own_sentence() -> None:
    with pytest.raises(InputError, match=r"^argument COMMAND: invalid choice: 'biuld' \(choose from 'build', "):
        run_bentos("biuld")


def test_figures_that_are_none_are_left_out_without_a_tracker() -> None:
    tracking.log_metrics({"a": 1.0, "b": float("nan")})
    with tracking.nested_run("nobody listens") as tracked:
        assert not tracked


def test_rows_come_back_as_they_were(rows: pd.DataFrame, place: str) -> None:
    materializer = RowsMaterializer(place, Client().active_stack.artifact_store)
    materializer.save(rows)
    pd.testing.assert_frame_equal(materializer.load(pd.DataFrame), rows)


def test_a_predictor_comes_back_as_it_was(place: str) -> None:
    predictor, rows = trained(small("logistic"), "stored")
    materializer = FolderMaterializer(place, Client().active_stack.artifact_store)
    materializer.save(predictor)
    loaded = materializer.load(Predictor)
    pd.testing.assert_frame_equal(loaded.predict(rows), predictor.predict(rows))
    assert materializer.compute_content_hash(loaded) == materializer.compute_content_hash(predictor)
    assert materializer.compute_content_hash(predictor.with_version("stored:2")) != materializer.compute_content_hash(
        predictor
    )


def test_the_hash_of_rows_sees_every_change(rows: pd.DataFrame) -> None:
    found = RowsMaterializer("nowhere", Client().active_stack.artifact_store).compute_content_hash
    other = rows.copy()
    other.loc[3, "dose, mg"] = np.nextafter(other.loc[3, "dose, mg"], np.inf) if other.loc[3, "dose, mg"] else 1.0
    changed = [
        other,
        rows.rename(columns={"colour": "color"}),
        rows.iloc[::-1],
        rows.drop(columns="colour"),
        rows.assign(label=1 - rows["label"]),
    ]
    hashes = {found(frame) for frame in [rows, *changed]}
    assert len(hashes) == len(changed) + 1
    assert found(rows.copy()) == found(rows)


@pytest.mark.parametrize("missing", [None, np.nan])
def test_the_hash_of_rows_tells_missing_from_the_word(missing: object) -> None:
    found = RowsMaterializer("nowhere", Client().active_stack.artifact_store).compute_content_hash
    values, words = (
        pd.DataFrame({"a": pd.Series(["x", missing], dtype=object)}),
        pd.DataFrame({"a": ["x", str(missing)]}),
    )
    assert found(values) != found(words)


def test_hashes_are_the_same_in_every_process(tmp_path: Path) -> None:
    (tmp_path / "ask.py").write_text(TIMELESS + HASHES)

    def ask(seed: str) -> list[str]:
        command = [sys.executable, str(tmp_path / "ask.py"), str(ROOT), str(ROOT)]
        env = {**os.environ, "PYTHONHASHSEED": seed}
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        found: list[str] = json.loads(done.stdout.splitlines()[-1])
        return found

    assert ask("1") == ask("2")

"""The log as a table to learn from."""

import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from credence.core.errors import InputError
from credence.core.paths import log_folder
from credence.core.registry import SourceSpec
from credence.data.prediction_log.schema import FEEDBACK, PREDICTION, LogRecord, feedback_record
from credence.data.prediction_log.writer import LogWriter
from credence.data.rows import Columns, model_inputs, to_canonical_rows
from credence.production.answer_records import build_records
from credence.security.keyed_hash import KeyedHasher
from credence.security.log_policy import LogPolicy
from credence.task import Task
from tests.support.log_cases import DAWN, record, truth
from tests.support.serving_cases import trained
from tests.support.small_kinds import small

OWN = ["request_id", "row", "time", "version", "group", "probability", "predicted", "truth"]


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CREDENCE_HOME", str(tmp_path))


def logged(predictions: list[LogRecord], truths: list[LogRecord], task: str = "case") -> None:
    for name, schema, found in (("predictions", PREDICTION, predictions), ("feedback", FEEDBACK, truths)):
        with LogWriter(log_folder(task) / name, schema) as log:
            log.append(found)


def read(**keys: Any) -> pd.DataFrame:
    table: pd.DataFrame = SourceSpec(kind="predictions", **({"task": "case"} | keys)).build().read()
    return table


def refused(**keys: Any) -> str:
    with pytest.raises(InputError) as caught:
        read(**keys)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_labelled_answers_with_their_inputs() -> None:
    given = [{"mean radius": 14.5, "colour": "red"}, {"mean radius": 3, "colour": None}, {"mean radius": 1}]
    logged([record(i, inputs=json.dumps(g)) for i, g in enumerate(given)], [truth(0, "yes"), truth(1, "no")])
    table = read()
    assert list(table.columns) == [*OWN, "mean radius", "colour"]
    assert table["mean radius"].tolist() == [14.5, 3.0] and table["mean radius"].dtype == float
    assert table["truth"].tolist() == ["yes", "no"] and table["predicted"].tolist() == ["no", "no"]
    assert table["colour"].tolist() == ["red", None]


def test_all_answers_also_without_a_truth() -> None:
    logged([record(0), record(1)], [truth(0)])
    assert read(labelled="all")["truth"].fillna("?").tolist() == ["yes", "?"]
    assert read()["truth"].tolist() == ["yes"]


def test_a_window_and_labels_that_came_after_it() -> None:
    logged([record(i) for i in range(5)], [truth(i, after=10**6) for i in range(5)])
    assert read(since="2026-01-01T00:00:01", until=DAWN + timedelta(seconds=3))["x"].tolist() == [1, 2]


def test_what_nobody_was_told_is_left_out_unless_asked_for() -> None:
    logged([record(0), record(0, role="challenger", delivered=False, version="case:2")], [truth(0)])
    assert read()["version"].tolist() == ["case:1"]
    assert read(delivered=False)["version"].tolist() == ["case:1", "case:2"]


def test_inputs_keep_their_names_and_the_log_gives_way() -> None:
    logged([record(0, inputs='{"time": 7, "truth": "a", "x": 1}')], [truth(0)])
    table = read()
    assert (table["time"].tolist(), table["truth"].tolist(), table["truth_"].tolist()) == ([7], ["a"], ["yes"])


def test_hashed_columns_are_left_out() -> None:
    predictor, rows = trained(small("logistic"))
    info = predictor.info.model_copy(update={"log": LogPolicy(inputs={"colour": "hashed"})})
    made = build_records("a", rows, predictor.predict(rows), info, hasher=KeyedHasher.of(log_folder("case")))
    logged(made, [feedback_record("a", "yes", i) for i in range(len(rows))])
    assert "colour" not in read() and "key" in read()


def test_a_task_learns_from_the_log_what_it_learned_from_the_source() -> None:
    predictor, rows = trained(small("logistic"))
    truths = [feedback_record("a", ("no", "yes")[y], i) for i, y in enumerate(rows["label"])]
    logged(build_records("a", rows, predictor.predict(rows), predictor.info), truths)
    columns = Columns(label="truth", positive="yes", group="clinic", ignore=[c for c in OWN if c != "truth"])
    again = to_canonical_rows(read(path=log_folder("case"), task=None), columns)
    assert again["label"].tolist() == rows["label"].tolist()
    pd.testing.assert_frame_equal(model_inputs(again)[list(model_inputs(rows))], model_inputs(rows), check_dtype=False)


def test_damaged_files_are_named_and_the_rest_is_read() -> None:
    logged([record(0)], [truth(0)])
    (log_folder("case") / "feedback/damaged.parquet").write_bytes(b"PAR1")
    with pytest.warns(UserWarning, match=r"feedback/damaged\.parquet: 1 left out: the file could not be read"):
        assert read()["truth"].tolist() == ["yes"]


def test_every_mistake_is_one_sentence(tmp_path: Path) -> None:
    assert "expected either task or path, and not both" in refused(path=str(tmp_path))
    assert "expected either task or path" in refused(task=None)
    assert "no predictions were logged there. Serve the task first." in refused()
    logged([record(0)], [])
    assert "Did you mean 'case'?" in refused(task="cese")
    assert "none of these 1 answers has been labelled" in refused()
    assert "widen source.since" in refused(since="2030-01-01")
    assert "labelled" in refused(labelled="some")


def test_the_documented_code_runs_and_the_documented_task_reads_it(tmp_path: Path) -> None:
    page = (Path(__file__).parents[4] / "docs/reference/log.md").read_text()
    code, task = (re.search(rf"```{kind}\n(.*?)```", page, re.DOTALL) for kind in ("python", "yaml"))
    assert code and task
    answers = [record(i, time=DAWN + timedelta(days=90 + i), inputs=f'{{"x": {i}}}') for i in range(3)]
    logged(answers, [truth(0, "malignant"), truth(1, "benign")], task="breast_cancer")
    found: dict[str, Any] = {}
    exec(code[1], found)
    assert len(found["closed"]) == len(found["log"].frame) == 3
    assert found["known"].frame["truth"].fillna(-1).tolist() == [1, 0, -1]
    (tmp_path / "again.yaml").write_text(task[1])
    again = Task.read(tmp_path / "again.yaml")
    rows = to_canonical_rows(again.source.build().read(), again.columns)
    assert rows["label"].tolist() == [1, 0] and list(model_inputs(rows)) == ["group", "x"]

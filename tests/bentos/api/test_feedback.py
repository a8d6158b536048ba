"""What was answered is remembered, and what turned out to be true is kept: over HTTP, in this process."""

import json
import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from bentos.api.feedback import parse_feedback
from bentos.packaging.parity_check import rows_as_requests
from bentos.schema.request_errors import InvalidRequest
from credence.core.paths import log_folder
from credence.data.prediction_log.reader import join_feedback, read_feedback, read_predictions
from credence.predictor import Predictor
from credence.security.log_policy import LogPolicy
from tests.support.serving_cases import client, kept, trained
from tests.support.small_kinds import small

TASK = "remembered"
ANSWERS = ("no", "yes")


def written(task: str = TASK, rows: int = 1) -> pd.DataFrame:
    """The log, once it holds so many rows; the writer takes a quarter of a second."""
    while len(frame := read_predictions(log_folder(task)).frame) < rows:
        time.sleep(0.05)
    return frame


@pytest.fixture(scope="module")
def predictor() -> tuple[Predictor, pd.DataFrame]:
    return trained(small("logistic"), TASK)


@pytest.fixture(scope="module")
def http(predictor: tuple[Predictor, pd.DataFrame], tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    with client(kept(predictor[0], tmp_path_factory.mktemp("remembered") / "predictor"), TASK) as made:
        yield made


@pytest.fixture(scope="module")
def bodies(predictor: tuple[Predictor, pd.DataFrame]) -> list[dict[str, Any]]:
    return rows_as_requests(predictor[1].head(5), predictor[0])


def ask(http: TestClient, identity: str, path: str, body: Any) -> Any:
    response = http.post(path, json=body, headers={"X-Request-ID": identity})
    assert response.headers["x-request-id"] == identity
    return response.json()


def of(frame: pd.DataFrame, identity: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = frame[frame["request_id"] == identity].sort_values("row").to_dict("records")
    return found


def test_an_answer_leaves_one_record(http: TestClient, bodies: list[dict[str, Any]]) -> None:
    answer = ask(http, "one-row", "/predict", bodies[0])
    while not (found := of(written(), "one-row")):
        time.sleep(0.05)
    assert len(found) == 1
    record = found[0]
    for name, value in answer.items():
        assert (list(record[name]) if isinstance(value, list) else record[name]) == value, name
    assert json.loads(record["inputs"]) | {"clinic": record["group"]} == bodies[0] | {"clinic": record["group"]}
    assert (record["row"], record["task"], record["role"], record["source"]) == (0, TASK, "champion", "http")
    assert record["delivered"]
    assert 0 < record["latency_ms"] < 60_000
    assert abs(record["time"].timestamp() - time.time()) < 3600


def test_a_batch_leaves_one_record_per_row(http: TestClient, bodies: list[dict[str, Any]]) -> None:
    answers = ask(http, "five-rows", "/batch_predict", {"rows": bodies})["answers"]
    while len(found := of(written(), "five-rows")) < 5:
        time.sleep(0.05)
    assert [r["row"] for r in found] == [0, 1, 2, 3, 4]
    assert [r["probability"] for r in found] == [a["probability"] for a in answers]


def test_what_was_not_answered_leaves_none(http: TestClient, bodies: list[dict[str, Any]]) -> None:
    ask(http, "refused", "/predict", {})
    ask(http, "explained", "/explain", bodies[0])
    ask(http, "after", "/predict", bodies[0])
    while not of(frame := written(), "after"):
        time.sleep(0.05)
    assert of(frame, "refused") == of(frame, "explained") == []


def test_the_truth_finds_its_answer(http: TestClient, bodies: list[dict[str, Any]]) -> None:
    ask(http, "judged", "/batch_predict", {"rows": bodies[:2]})
    many = [{"request_id": "judged", "label": "no"}, {"request_id": "judged", "row": 1, "label": "yes"}]
    assert http.post("/feedback", json={"feedback": many}).json() == {"recorded": 2}
    assert http.post("/feedback", json={"request_id": "judged", "label": "yes"}).json() == {"recorded": 1}
    assert http.post("/feedback", json={"request_id": "never-answered", "label": 1}).json() == {"recorded": 1}
    while len(of(written(), "judged")) < 2:
        time.sleep(0.05)
    found = join_feedback(written(), read_feedback(log_folder(TASK)).frame, ANSWERS)
    truth = found.frame[found.frame["request_id"] == "judged"].sort_values("row")["truth"]
    assert truth.tolist() == [1.0, 1.0], "the latest word counts"
    assert found.unknown == 1
    assert found.contradictory == 1


def test_feedback_is_on_disk_before_it_is_acknowledged(http: TestClient) -> None:
    for i in range(5):
        http.post("/feedback", json={"request_id": f"prompt-{i}", "label": "yes"})
        assert f"prompt-{i}" in set(read_feedback(log_folder(TASK)).frame["request_id"])


@pytest.mark.parametrize(
    ("body", "sentence", "field"),
    [
        (b"{", "the body is not JSON: EOF while parsing an object", None),
        (b"\xff", "the body is not JSON", None),
        ([], "the body is a list; expected an object with request_id and label.", None),
        ({}, "field 'request_id' is missing; it has to be given.", "request_id"),
        ({"request_id": "a"}, "field 'label' is missing; it has to be given.", "label"),
        (
            {"request_id": "", "label": 1},
            "field 'request_id' is ''; expected the X-Request-ID of an answer",
            "request_id",
        ),
        ({"request_id": 3, "label": 1}, "field 'request_id' is 3; expected", "request_id"),
        ({"request_id": "a" * 65, "label": 1}, "at most 64 characters", "request_id"),
        ({"request_id": "a", "label": "yess"}, "'yess', which is no answer of this task. Did you mean 'yes'?", "label"),
        (
            {"request_id": "a", "label": 2},
            "field 'label' is 2, which is no answer of this task. Known: no, yes.",
            "label",
        ),
        ({"request_id": "a", "label": None}, "field 'label' is null", "label"),
        ({"request_id": "a", "label": 10**100}, "a number of more than 40 digits, which is no answer", "label"),
        ({"request_id": "a", "label": ["yes"]}, "field 'label' is a list", "label"),
        ({"request_id": "a", "label": 1, "row": -1}, "field 'row' is -1; expected its place in the request", "row"),
        ({"request_id": "a", "label": 1, "row": True}, "field 'row' is true", "row"),
        ({"request_id": "a", "label": 1, "row": 10_000}, "field 'row' is 10000", "row"),
        ({"request_id": "a", "lable": 1}, "field 'lable' is not known. Did you mean 'label'?", "lable"),
        ({"feedback": 3}, "field 'feedback' is 3; expected a list.", "feedback"),
        ({"feedback": []}, "field 'feedback' holds 0 truths; expected 1 to 10,000.", "feedback"),
        ({"feedback": [3]}, "feedback[0] is 3; expected an object", "feedback[0]"),
        (
            {"feedback": [{"request_id": "a", "label": 1}, {"label": 1}]},
            "feedback[1], field 'request_id' is missing",
            "feedback[1].request_id",
        ),
        ({"feedback": [], "label": 1}, "expected either feedback or request_id with label, and not both.", None),
    ],
)
def test_wrong_feedback_is_refused_in_one_sentence(body: Any, sentence: str, field: str | None) -> None:
    with pytest.raises(InvalidRequest) as refused:
        parse_feedback(body if isinstance(body, bytes) else json.dumps(body).encode(), ANSWERS)
    assert sentence in str(refused.value)
    assert str(refused.value).endswith((".", "?"))
    assert refused.value.field == field


def test_wrong_feedback_is_status_400_and_leaves_nothing(http: TestClient) -> None:
    many = {"feedback": [{"request_id": "half", "label": 1}, {"request_id": "half", "label": "?"}]}
    response = http.post("/feedback", json=many)
    assert (response.status_code, response.json()["field"]) == (400, "label")
    assert "half" not in set(read_feedback(log_folder(TASK)).frame["request_id"])


@pytest.mark.parametrize(
    ("label", "means"),
    [
        ("yes", "yes"),
        ("no", "no"),
        (1, "yes"),
        (0, "no"),
        (True, "yes"),
        (False, "no"),
        (1.0, "yes"),
        (" yes ", "yes"),
        ("1", "yes"),
        ("False", "no"),
    ],
)
def test_a_label_may_be_a_word_or_a_flag(label: Any, means: str) -> None:
    body = json.dumps({"request_id": "a", "label": label}).encode()
    assert parse_feedback(body, ANSWERS)[0]["label"] == means


def test_the_tasks_own_words_come_first() -> None:
    assert parse_feedback(b'{"request_id": "a", "label": 0}', ("1", "0"))[0]["label"] == "0"
    assert parse_feedback(b'{"request_id": "a", "label": 2}', ("1", "2"))[0]["label"] == "2"


@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats()
        | st.text(max_size=20)
        | st.sampled_from(["yes", "request_id"]),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["request_id", "label", "row", "feedback", "x"]), inner, max_size=3)
        ),
    )
)
def test_no_feedback_makes_the_server_fail(http: TestClient, body: Any) -> None:
    response = http.post("/feedback", content=json.dumps(body).encode("utf-8", "surrogatepass"))
    assert response.status_code in (200, 400), response.text


def test_a_flood_of_feedback_holds_no_answer_up(http: TestClient, bodies: list[dict[str, Any]]) -> None:
    before = len(read_feedback(log_folder(TASK)).frame)
    with ThreadPoolExecutor(16) as pool:
        flood = [pool.submit(http.post, "/feedback", json={"request_id": "flood", "label": i % 2}) for i in range(200)]
        answers = [http.post("/predict", json=bodies[0]) for _ in range(10)]
    assert {a.status_code for a in answers} == {200}
    statuses = [f.result().status_code for f in flood]
    assert set(statuses) <= {200, 429}
    assert len(read_feedback(log_folder(TASK)).frame) - before == statuses.count(200) > 0


def test_ten_thousand_truths_at_once(http: TestClient) -> None:
    many = [{"request_id": f"{i:064d}", "label": "yes"} for i in range(10_000)]
    response = http.post("/feedback", json={"feedback": many})
    assert response.json() == {"recorded": 10_000}


def test_hashed_columns_never_reach_the_disk(tmp_path: Path) -> None:
    predictor, rows = trained(small("logistic"), "discreet")
    policy = LogPolicy(inputs={"colour": "hashed", "clinic": "hashed"})
    info = predictor.info.model_copy(update={"log": policy})
    discreet = Predictor(predictor.model, info, predictor.reference, predictor.seen)
    bodies = rows_as_requests(rows.head(4), discreet)
    with client(kept(discreet, tmp_path / "predictor"), "discreet") as http:
        http.post("/batch_predict", json={"rows": [b | {"colour": "ultraviolet", "clinic": "westend"} for b in bodies]})
    found = written("discreet", 4)
    assert all(json.loads(inputs)["colour"].startswith("#") for inputs in found["inputs"])
    assert found["group"].str.startswith("#").all()
    content = b"".join(f.read_bytes() for f in log_folder("discreet").rglob("*") if f.is_file())
    assert b"westend" not in content


def test_feedback_that_the_disk_does_not_take_is_not_acknowledged(tmp_path: Path) -> None:
    predictor, _ = trained(small("logistic"), "blocked")
    folder = log_folder("blocked") / "feedback"
    with client(kept(predictor, tmp_path / "predictor"), "blocked") as http:
        shutil.rmtree(folder)
        folder.write_text("in the way")
        response = http.post("/feedback", json={"request_id": "a", "label": "yes"})
        assert response.status_code == 503
        assert "could not be written" in response.json()["error"]
        folder.unlink()
        folder.mkdir()
        assert http.post("/feedback", json={"request_id": "a", "label": "yes"}).json() == {"recorded": 1}


def test_the_log_can_be_switched_off(
    predictor: tuple[Predictor, pd.DataFrame], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CREDENCE_LOG", "off")
    silent, rows = trained(small("logistic"), "silent")
    with client(kept(silent, tmp_path / "predictor"), "silent") as http:
        assert http.post("/predict", json=rows_as_requests(rows, silent)[0]).status_code == 200
        response = http.post("/feedback", json={"request_id": "a", "label": "yes"})
    assert response.status_code == 503
    assert "keeps no log (CREDENCE_LOG=off)" in response.json()["error"]
    assert not log_folder("silent").exists()

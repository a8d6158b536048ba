"""What /metrics says of answers, abstentions, the log, the truth and drift, under the names that alert rules use."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from bentos.rollout import hot_swap
from bentos.rollout.desired_state import FILE
from bentos.rollout.file_watcher import FileWatcher, file_stamp
from bentos.rollout.load_check import describe_predictor
from bentos.runtime.metrics import ServiceMetrics
from bentos.runtime.request_context import RequestContext
from bentos.runtime.request_log import RequestLog
from credence.core.atomic_write import atomic_write_text
from credence.core.paths import monitoring_folder, serving_folder
from tests.support.serving_cases import client
from tests.support.swap_cases import Versions, until

TASK = "metered"
Labels = dict[str, str]


@pytest.fixture(scope="module")
def versions(tmp_path_factory: pytest.TempPathFactory) -> Versions:
    return Versions(TASK, tmp_path_factory.mktemp("metered"))


@pytest.fixture
def http(versions: Versions) -> Iterator[TestClient]:
    (serving_folder(TASK) / FILE).unlink(missing_ok=True)
    with client(versions.folders[0], TASK) as made:
        yield made


def figures(http: TestClient, name: str) -> list[tuple[Labels, float]]:
    """The series of one name and this task."""
    families = text_string_to_metric_families(http.get("/metrics").text)
    samples = [s for family in families for s in family.samples if s.name == name]
    return [(s.labels, s.value) for s in samples if s.labels["task"] == TASK]


def figure(http: TestClient, name: str) -> float:
    return sum(value for _, value in figures(http, name))


def test_answers_are_counted_by_version_role_and_label(http: TestClient, versions: Versions) -> None:
    before = figure(http, "credence_answers_total")
    abstained = figure(http, "credence_abstained_total")
    answers = http.post("/batch_predict", json={"rows": versions.bodies}).json()["answers"]
    strange = http.post("/predict", json=versions.bodies[0] | {"colour": "ultraviolet"}).json()
    http.post("/predict", json={})
    http.post("/explain", json=versions.bodies[0])
    assert strange["abstain"]
    assert figure(http, "credence_answers_total") - before == len(answers) + 1
    assert figure(http, "credence_abstained_total") - abstained == sum(a["abstain"] for a in [*answers, strange])
    labels = [labels for labels, _ in figures(http, "credence_answers_total")]
    assert {(found["version"], found["role"]) for found in labels} == {("metered:1", "champion")}
    assert {found["label"] for found in labels} == {a["label"] for a in [*answers, strange]}
    assert all("pid" not in found for found in labels)


def test_truths_are_counted(http: TestClient) -> None:
    before = figure(http, "credence_feedback_total")
    http.post("/feedback", json={"feedback": [{"request_id": "a", "label": 1}] * 3})
    http.post("/feedback", json={"request_id": "a", "label": "?"})
    assert figure(http, "credence_feedback_total") - before == 3


def test_the_bound_is_the_champions(http: TestClient) -> None:
    until(lambda: figures(http, "credence_latency_bound_seconds") == [({"task": TASK}, 0.1)])


def test_drift_is_absent_until_monitoring_has_spoken(http: TestClient) -> None:
    assert figures(http, "credence_drift") == []
    file = monitoring_folder(TASK) / "latest.json"
    file.parent.mkdir(parents=True)
    for verdict, value in (("watch", 1.0), ("drift", 2.0), ("quiet", 0.0)):
        atomic_write_text(file, json.dumps({"verdict": verdict, "columns": []}))
        until(lambda value=value: figures(http, "credence_drift") == [({"task": TASK}, value)])
    file.write_text("{")
    until(lambda: http.post("/predict", json={}).status_code == 400)
    assert figures(http, "credence_drift") == [({"task": TASK}, 0.0)]


def test_every_counter_is_there_before_anything_happened(http: TestClient) -> None:
    for name in ("abstained", "log_dropped", "feedback", "shadow_failures"):
        assert len(figures(http, f"credence_{name}_total")) == 1, name


def test_a_new_version_is_a_new_series(http: TestClient, versions: Versions) -> None:
    hot_swap.commit_version(TASK, hot_swap.prepare_version(*describe_predictor(versions.folders[1]))["generation"])
    http.post("/predict", json=versions.bodies[0])
    assert "metered:2" in {labels["version"] for labels, _ in figures(http, "credence_answers_total")}


def test_what_the_log_drops_is_counted_once(http: TestClient) -> None:
    meters = ServiceMetrics(TASK)
    before = figure(http, "credence_log_dropped_total")
    for total in (0, 3, 3, 10):
        meters.dropped(total)
    assert figure(http, "credence_log_dropped_total") - before == 10


def test_what_the_log_cannot_take_is_known(versions: Versions) -> None:
    journal, predictor = RequestLog(TASK), versions.predictors[0]
    journal.close()
    journal.note(RequestContext("late"), predictor.info, versions.rows, predictor.predict(versions.rows), "champion")
    assert journal.dropped() == len(versions.rows)


def test_a_watch_tells_of_every_change_and_survives_a_mistake(tmp_path: Path) -> None:
    seen: list[str] = []
    file = tmp_path / "file"

    def read() -> None:
        seen.append(file.read_text())
        if seen[-1] == "wrong":
            raise ValueError

    watch = FileWatcher(lambda: None, seconds=0.005)
    watch.add(file, read)
    assert file_stamp(file) is None
    watch.start()
    for text in ("first", "wrong", "last"):
        atomic_write_text(file, text)
        until(lambda text=text: seen[-1:] == [text])
    file.unlink()
    watch.stop()
    assert seen == ["first", "wrong", "last"]

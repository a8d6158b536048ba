"""A challenger on real traffic: beside the champion or in its place, and never in the way of an answer."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bentoml
import pandas as pd
import psutil  # type: ignore[import-untyped]
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from bentos.packaging.build import store_by_version
from bentos.rollout import hot_swap, shadow_client, worker_status
from bentos.rollout.challenger import Router, ServedChallenger, hash_share
from bentos.rollout.desired_state import FILE, DesiredChallenger, RolloutMode
from bentos.rollout.load_check import describe_predictor
from bentos.rollout.shadow_client import MAX_WAITING, ShadowClient
from bentos.runtime.loaded_predictor import LoadedPredictor
from bentos.runtime.request_context import RequestContext
from credence.core.paths import log_folder, serving_folder
from credence.data.prediction_log.reader import read_predictions
from credence.predictor import Predictor
from tests.support.serving_cases import client, kept, trained
from tests.support.small_kinds import small
from tests.support.swap_cases import Versions, shifted, until

TASK = "tried"


@pytest.fixture(scope="module")
def versions(tmp_path_factory: pytest.TempPathFactory) -> Versions:
    return Versions(TASK, tmp_path_factory.mktemp("tried"))


@pytest.fixture
def http(versions: Versions, tmp_path: Path) -> Iterator[TestClient]:
    """A server of the first version in this process, whose trial runs in a real process beside it."""
    (serving_folder(TASK) / FILE).unlink(missing_ok=True)
    with client(versions.folders[0], TASK) as made:
        yield made
    assert worker_status.live_workers(TASK) == []


def challenger(folder: Path, mode: RolloutMode = "shadow", share: float = 0.5) -> tuple[str, DesiredChallenger]:
    task, found = describe_predictor(folder)
    return task, DesiredChallenger(**found.model_dump(), mode=mode, share=share)


def logged(identity: str, rows: int, task: str = TASK) -> pd.DataFrame:
    def found() -> pd.DataFrame | None:
        frame = read_predictions(log_folder(task)).frame
        frame = frame[frame["request_id"] == identity]
        return frame if len(frame) >= rows else None

    frame: pd.DataFrame = until(lambda: (f := found()) is not None and [f])[0]
    return frame.sort_values(["role", "row"]).reset_index(drop=True)


def ask(http: TestClient, versions: Versions, identity: str, row: int = 0, **headers: str) -> dict[str, Any]:
    response = http.post("/predict", json=versions.bodies[row], headers={"X-Request-ID": identity, **headers})
    assert response.status_code == 200
    answer: dict[str, Any] = response.json()
    assert versions.right(row, answer)
    return answer


def children() -> list[psutil.Process]:
    return [p for p in psutil.Process().children(recursive=True) if "bentos.rollout.shadow_worker" in command(p)]


def command(process: psutil.Process) -> str:
    """How it was started; nothing of one that has ended."""
    try:
        return " ".join(process.cmdline())
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return ""


def test_a_shadow_answers_for_the_log_alone(http: TestClient, versions: Versions) -> None:
    assert hot_swap.start_challenger(*challenger(versions.folders[1]))["state"] == "ready"
    report = worker_status.live_workers(TASK)[0]
    assert (report.challenger, report.trial, report.version) == ("tried:2", "ready", "tried:1")
    assert ask(http, versions, "copied")["version"] == "tried:1"
    found = logged("copied", 2)
    assert found["role"].tolist() == ["challenger", "champion"]
    assert found["version"].tolist() == ["tried:2", "tried:1"]
    assert found["delivered"].tolist() == [False, True]
    assert found["probability"].tolist() == pytest.approx([versions.says["tried:2"][0], versions.says["tried:1"][0]])
    assert found["inputs"].nunique() == 1


def test_a_batch_is_copied_whole(http: TestClient, versions: Versions) -> None:
    hot_swap.start_challenger(*challenger(versions.folders[1]))
    http.post("/batch_predict", json={"rows": versions.bodies}, headers={"X-Request-ID": "all-of-them"})
    found = logged("all-of-them", 2 * len(versions.bodies))
    assert found["row"].tolist() == [*range(len(versions.bodies))] * 2
    assert found["probability"].tolist() == pytest.approx(versions.says["tried:2"] + versions.says["tried:1"])


def test_a_trial_ends_with_its_process(http: TestClient, versions: Versions) -> None:
    hot_swap.start_challenger(*challenger(versions.folders[1]))
    assert len(children()) == 1
    assert hot_swap.stop_challenger(TASK)["state"] == "ended"
    until(lambda: not children())
    until(lambda: worker_status.live_workers(TASK)[0].trial == "none")
    assert ask(http, versions, "alone")["version"] == "tried:1"
    assert logged("alone", 1)["role"].tolist() == ["champion"]


def test_a_split_gives_every_session_one_side_and_every_row_both_answers(http: TestClient, versions: Versions) -> None:
    hot_swap.start_challenger(*challenger(versions.folders[1], "split"))
    for i in range(12):
        sides = {ask(http, versions, f"split-{i}-{n}", **{"X-Session-ID": f"s{i}"})["version"] for n in range(2)}
        tag = describe_predictor(versions.folders[1])[1].tag
        assert sides == {"tried:2" if hash_share(f"s{i}", tag) < 0.5 else "tried:1"}
        found = logged(f"split-{i}-0", 2)
        assert sorted(found["version"]) == ["tried:1", "tried:2"]
        assert found.set_index("delivered")["version"][True] in sides
        assert dict(zip(found["role"], found["version"], strict=True)) == {
            "champion": "tried:1",
            "challenger": "tried:2",
        }


@pytest.mark.slow
def test_without_a_session_the_request_decides(http: TestClient, versions: Versions) -> None:
    hot_swap.start_challenger(*challenger(versions.folders[1], "split"))
    found = {ask(http, versions, f"request-{i}")["version"] for i in range(30)}
    assert found == {"tried:1", "tried:2"}


@pytest.mark.slow
def test_a_challenger_that_becomes_champion_is_no_longer_tried(http: TestClient, versions: Versions) -> None:
    hot_swap.start_challenger(*challenger(versions.folders[1]))
    hot_swap.commit_version(TASK, hot_swap.prepare_version(*describe_predictor(versions.folders[1]))["generation"])
    until(lambda: not children())
    assert ask(http, versions, "promoted")["version"] == "tried:2"


def test_a_trial_goes_on_against_a_new_champion(http: TestClient, versions: Versions) -> None:
    hot_swap.start_challenger(*challenger(versions.folders[1]))
    hot_swap.commit_version(TASK, hot_swap.prepare_version(*describe_predictor(versions.folders[2]))["generation"])
    until(lambda: worker_status.live_workers(TASK)[0].trial == "ready")
    ask(http, versions, "continued")
    assert logged("continued", 2)["version"].tolist() == ["tried:2", "tried:3"]


@pytest.mark.slow
def test_a_challenger_of_other_columns_is_no_trouble(http: TestClient, versions: Versions, tmp_path: Path) -> None:
    texts = kept(shifted(trained(small("tfidf"), TASK)[0], "tried:9", 0.0), tmp_path / "texts")
    for mode in ("shadow", "split"):
        assert hot_swap.start_challenger(*challenger(texts, mode, 0.9))["state"] == "ready"
        before = failures(http)
        assert {ask(http, versions, f"columns-{mode}-{i}")["version"] for i in range(10)} == {"tried:1"}
        until(lambda before=before: failures(http) >= before + 9)


def failures(http: TestClient) -> float:
    lines = [
        line for line in http.get("/metrics").text.splitlines() if line.startswith("credence_shadow_failures_total")
    ]
    return sum(float(line.split()[-1]) for line in lines if f'"{TASK}"' in line)


@pytest.mark.slow
def test_a_wrong_request_is_no_failure_of_the_challenger(http: TestClient, versions: Versions) -> None:
    hot_swap.start_challenger(*challenger(versions.folders[1], "split", 0.9))
    before = failures(http)
    for i in range(5):
        response = http.post("/predict", json={}, headers={"X-Request-ID": f"wrong-{i}"})
        assert (response.status_code, response.json()["field"]) == (400, "age (years)")
    time.sleep(0.5)
    assert failures(http) == before


def test_a_challenger_that_cannot_be_proven_is_refused_and_not_tried(http: TestClient, versions: Versions) -> None:
    for mode in ("shadow", "split"):
        _, right = challenger(versions.folders[1], mode)
        found = hot_swap.start_challenger(TASK, right.model_copy(update={"version": "tried:7"}))
        assert found["state"] == "refused"
        assert "holds tried:2 of tried; expected tried:7" in found["reasons"][0]
    assert ask(http, versions, "undisturbed")["version"] == "tried:1"
    assert children() == []


def test_a_shadow_that_crashes_is_started_again(http: TestClient, versions: Versions) -> None:
    hot_swap.start_challenger(*challenger(versions.folders[1]))
    first = children()[0]
    first.kill()
    until(lambda: children() and children()[0].pid != first.pid)
    assert ask(http, versions, "survivor")["version"] == "tried:1"
    assert len(logged("survivor", 2)) == 2


def test_a_shadow_that_hangs_is_left_behind_and_its_copies_are_counted(
    http: TestClient, versions: Versions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shadow_client, "MAX_WAITING", 4)
    hot_swap.start_challenger(*challenger(versions.folders[1]))
    before = failures(http)
    children()[0].suspend()
    answered = [http.post("/batch_predict", json={"rows": versions.bodies * 20}).status_code for _ in range(12)]
    assert set(answered) == {200}
    until(lambda: failures(http) > before)


def test_a_shadow_is_started_a_few_times_a_minute_at_most(versions: Versions) -> None:
    made: Any = ShadowClient(challenger(versions.folders[1])[1], None, TASK, logs=False)
    for _ in range(shadow_client.MAX_STARTS):
        child = until(lambda: made._child)
        child.kill()
        until(lambda child=child: made._child is not child)
    assert 0 < made._pause() <= shadow_client.PER_SECONDS
    assert not children()
    assert [made.put("challenger", "a", b"{}", many=False) for _ in range(MAX_WAITING + 1)][-2:] == [True, False]
    assert made.failures == 1
    made.close()


def test_a_shadow_ends_when_its_worker_is_killed(versions: Versions) -> None:
    with versions.served(workers=1):
        assert hot_swap.start_challenger(*challenger(versions.folders[1]))["state"] == "ready"
        worker = worker_status.live_workers(TASK)[0]
        child = psutil.Process(worker.pid).children()[0]
        assert "bentos.rollout.shadow_worker" in " ".join(child.cmdline())
        os.kill(worker.pid, signal.SIGKILL)
        child.wait(30)
        until(lambda: [r.trial for r in worker_status.live_workers(TASK)] == ["ready"])
        hot_swap.stop_challenger(TASK)


def test_the_champion_answers_where_the_challenger_fails(versions: Versions, tmp_path: Path) -> None:
    def answer(predictor: LoadedPredictor, body: bytes) -> str:
        if predictor is not champion:
            raise RuntimeError("out of memory")
        return "made up"

    champion = LoadedPredictor(Path(bentoml.models.get(store_by_version(versions.folders[0])).path))
    trial = ServedChallenger(challenger(versions.folders[1], "split", 0.999999)[1], champion, TASK, logs=False)
    router = Router(champion, trial)
    role, predictor, found = router.route(RequestContext("any"), answer, b"{}")
    assert (role, predictor, found, trial.failures()) == ("champion", champion, "made up", 1)
    trial.close()


@given(st.text(), st.text(max_size=40))
def test_a_share_lies_between_nothing_and_all_and_stays(key: str, salt: str) -> None:
    assert 0 <= hash_share(key, salt) < 1
    assert hash_share(key, salt) == hash_share(key, salt)


def test_shares_are_even_and_independent() -> None:
    keys = [f"session-{i}" for i in range(20_000)]
    first = pd.Series([hash_share(k, "tried:1") for k in keys])
    second = pd.Series([hash_share(k, "tried:2") for k in keys])
    assert (first < 0.1).mean() == pytest.approx(0.1, abs=0.01)
    assert (second[first < 0.1] < 0.1).mean() == pytest.approx(0.1, abs=0.03)


def test_predictors_of_the_cases_differ(versions: Versions) -> None:
    assert all(isinstance(p, Predictor) for p in versions.predictors)
    assert len({tuple(says) for says in versions.says.values()}) == 3

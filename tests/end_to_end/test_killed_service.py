"""kill -9 of a whole service under load, again and again: the log is whole, and what was acknowledged is there."""

import os
import random
import signal
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import psutil  # type: ignore[import-untyped]
import pytest

from bentos.rollout import worker_status
from credence.core.paths import log_folder
from credence.data.prediction_log.reader import read_feedback, read_predictions
from tests.support.swap_cases import Versions

TASK = "killed"
SAFE_SECONDS = 1.0


@pytest.fixture(scope="module")
def versions(tmp_path_factory: pytest.TempPathFactory) -> Versions:
    return Versions(TASK, tmp_path_factory.mktemp("killed"), count=1)


class Client(threading.Thread):
    """Asks and tells the truth until nobody answers; remembers when what was acknowledged."""

    def __init__(self, url: str, name: str, body: dict[str, Any]) -> None:
        super().__init__()
        self.url, self.id, self.body = url, name, body
        self.answered: dict[str, float] = {}
        self.recorded: set[str] = set()

    def run(self) -> None:
        with httpx.Client(base_url=self.url, timeout=10) as http, suppress(httpx.TransportError):
            for i in range(1_000_000):
                identity = f"{self.id}-{i}"
                if http.post("/predict", json=self.body, headers={"X-Request-ID": identity}).status_code == 200:
                    self.answered[identity] = time.monotonic()
                if i % 5 == 0 and http.post("/feedback", json={"request_id": identity, "label": 1}).is_success:
                    self.recorded.add(identity)


def kill(supervisor: int) -> float:
    """All processes of the service at once, the one first that would start others again; when that was."""
    family = [psutil.Process(supervisor), *psutil.Process(supervisor).children(recursive=True)]
    now = time.monotonic()
    for process in family:
        with suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)
    return now


def one_death(versions: Versions, name: str, seconds: float) -> tuple[set[str], set[str], set[str]]:
    """Serve, ask, kill: what was answered long enough before, what was answered in the last second, what was told."""
    with versions.served() as url:
        clients = [Client(url, f"{name}-{i}", versions.bodies[i]) for i in range(3)]
        for client in clients:
            client.start()
        time.sleep(seconds)
        death = kill(worker_status.live_workers(TASK)[0].supervisor)
        for client in clients:
            client.join()
    answered = {identity: at for c in clients for identity, at in c.answered.items()}
    safe = {identity for identity, at in answered.items() if at <= death - SAFE_SECONDS}
    return safe, set(answered) - safe, set().union(*(c.recorded for c in clients))


def die(versions: Versions, times: int) -> None:
    safe: set[str] = set()
    late: set[str] = set()
    told: set[str] = set()
    randomly = random.Random(0)
    for n in range(times):
        found = one_death(versions, f"life{times}-{n}", 1.5 + randomly.random())
        for kept, new in zip((safe, late, told), found, strict=True):
            kept |= new
    predictions, truths = read_predictions(log_folder(TASK)), read_feedback(log_folder(TASK))
    ids = predictions.frame["request_id"]
    assert safe - set(ids) == set()
    assert told - set(truths.frame["request_id"]) == set()
    assert not ids.duplicated().any()
    assert predictions.dropped == 0
    assert all("cut off" in skipped.why for skipped in [*predictions.skipped, *truths.skipped])
    print(f"{times} deaths: {len(safe | late)} answers, {len((safe | late) - set(ids))} of the last seconds not logged")
    assert len(safe) > 10 * times
    assert len(told) > times


def test_a_service_that_is_killed_under_load_keeps_its_log(versions: Versions) -> None:
    die(versions, 1)


@pytest.mark.slow
def test_a_service_that_is_killed_fifty_times_keeps_its_log(versions: Versions) -> None:
    die(versions, 50)


def test_nothing_of_a_killed_service_stays_in_the_way(versions: Versions, tmp_path: Path) -> None:
    with versions.served(workers=1) as url:
        kill(worker_status.live_workers(TASK)[0].supervisor)
        with pytest.raises(httpx.TransportError):
            httpx.get(f"{url}/health")
    assert worker_status.live_workers(TASK) == []

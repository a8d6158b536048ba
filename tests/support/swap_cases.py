"""Two predictors of one task that answer differently, and callers that ask all the time."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pandas as pd

from bentos.packaging.build import store_by_version
from bentos.packaging.local_server import serve_locally
from bentos.packaging.parity_check import rows_as_requests
from credence.predictor import Predictor
from tests.support.serving_cases import kept, trained
from tests.support.small_kinds import small

ROOT = Path(__file__).parents[2]


def shifted(predictor: Predictor, version: str, shift: float) -> Predictor:
    """The same predictor under another version, with other probabilities."""
    scaling = predictor.info.scaling.model_copy(update={"shift": predictor.info.scaling.shift + shift})
    info = predictor.info.model_copy(update={"scaling": scaling, "version": version})
    return Predictor(predictor.model, info, predictor.reference, predictor.seen)


class Versions:
    """Saved predictors of one task, the rows to ask about, and what each version says to them."""

    def __init__(self, task: str, place: Path, count: int = 3) -> None:
        self.task = task
        first, rows = trained(small("logistic"), task)
        self.rows: pd.DataFrame = rows.head(10)
        self.bodies = rows_as_requests(self.rows, first)
        self.predictors = [shifted(first, f"{task}:{n}", 0.4 * n) for n in range(1, count + 1)]
        self.folders = [kept(p, place / f"{task}{n}") for n, p in enumerate(self.predictors, 1)]
        self.says = {p.info.version: p.predict(self.rows)["probability"].tolist() for p in self.predictors}

    def right(self, row: int, answer: dict[str, Any]) -> bool:
        """Whether the answer is what the version that it names says to this row."""
        return abs(answer["probability"] - self.says[answer["version"]][row]) < 1e-9

    @contextmanager
    def served(self, env: dict[str, str] | None = None, workers: int = 2) -> Iterator[str]:
        """A real server of the first version."""
        chosen = {"CREDENCE_MODEL": store_by_version(self.folders[0]), "CREDENCE_WORKERS": str(workers)}
        with serve_locally("bentos.service:Credence", {**chosen, **(env or {})}) as url:
            yield url


def bentos(*words: str, code: int = 0) -> dict[str, Any]:
    """What a command of `python -m bentos` printed; for exit code 2 its sentence."""
    done = subprocess.run(
        [sys.executable, "-m", "bentos", *words], capture_output=True, text=True, check=False, cwd=ROOT, env=os.environ
    )
    assert done.returncode == code, done.stderr
    found: dict[str, Any] = {"error": done.stderr.strip()} if code else json.loads(done.stdout.splitlines()[-1])
    return found


def until(so: Callable[[], Any]) -> Any:
    """What `so` says once it says something; a minute is longer than anything here takes."""
    deadline = time.monotonic() + 120
    while not (found := so()):
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.02)
    return found


class Load:
    """Threads that send rows one after another and keep every answer, or what came instead of one."""

    def __init__(self, url: str, versions: Versions, threads: int = 4) -> None:
        self.url, self.versions = url, versions
        self.answers: list[tuple[float, int, dict[str, Any]]] = []
        self.failures: list[str] = []
        self._end = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(i,)) for i in range(threads)]

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        for thread in self._threads:
            thread.join()

    def wait_for(self, more: int) -> None:
        """Until so many more answers have come."""
        goal = len(self.answers) + more
        while len(self.answers) < goal and not self.failures:
            time.sleep(0.01)

    def _ask(self, start: int) -> None:
        with httpx.Client(base_url=self.url, timeout=30) as client:
            row = start
            while not self._end.is_set():
                row = (row + 1) % len(self.versions.bodies)
                response = client.post("/predict", json=self.versions.bodies[row])
                if response.status_code == 200:
                    self.answers.append((time.monotonic(), row, response.json()))
                else:
                    self.failures.append(response.text)

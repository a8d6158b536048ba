"""Promotions and a rollback while the service is under load: nobody is turned away, and no answer is of two minds."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from sklearn.datasets import load_breast_cancer

from tests.support.project_copy import Project

pytestmark = pytest.mark.slow

A_SECOND, SECONDS, CALLERS = 50, 60, 8
LENIENT = "gate={metric: accuracy, margin: 0.9, minimum: 0.1, calibration_error: false, coverage: false}"
SERVE = """
import sys, time
from bentos.packaging.local_server import serve_locally
with serve_locally("credence:latest", {"CREDENCE_WORKERS": "2"}) as url:
    print(url, flush=True)
    sys.stdin.read()
"""


@dataclass
class Load:
    """Callers that ask about the same row at a steady pace, and all that they heard."""

    url: str
    row: dict[str, Any]
    heard: list[tuple[float, str, float]] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    stopped: threading.Event = field(default_factory=threading.Event)

    def call(self, turn: int) -> None:
        start = time.monotonic() + turn / A_SECOND
        with httpx.Client(base_url=self.url, timeout=30) as client:
            for k in range(10**6):
                if self.stopped.wait(max(0.0, start + k * CALLERS / A_SECOND - time.monotonic())):
                    return
                self.ask(client)

    def ask(self, client: httpx.Client) -> None:
        try:
            response = client.post("/predict", json=self.row)
        except httpx.HTTPError as error:
            self.failed.append(repr(error))
            return
        if response.status_code != 200:
            self.failed.append(f"{response.status_code} {response.text[:200]}")
            return
        answer = response.json()
        self.heard.append((time.monotonic(), answer["version"], answer["probability"]))

    @contextmanager
    def on(self) -> Iterator[None]:
        callers = [threading.Thread(target=self.call, args=(i,)) for i in range(CALLERS)]
        for caller in callers:
            caller.start()
        try:
            yield
        finally:
            self.stopped.set()
            for caller in callers:
                caller.join()


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Three versions that answer differently; the last one is the champion and packaged."""
    project = Project.copy(tmp_path_factory.mktemp("rollback"))
    for k, penalty in enumerate((1.0, 0.1, 0.01), 1):
        deploy = [] if k == 3 else ["--no-deploy"]
        done = project.run(*deploy, "--set", f"models=[{{kind: logistic, C: {penalty}}}]", "--set", LENIENT)
        assert "promote: " in done.stdout, done.stdout + done.stderr
    return project


@pytest.fixture
def url(project: Project) -> Iterator[str]:
    """A server of two workers, as a process of the project's own."""
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(
        [sys.executable, "-c", SERVE], cwd=project.folder, env=project.environment, **pipes
    ) as process:
        assert process.stdout is not None and process.stdin is not None
        yield process.stdout.readline().strip()
        process.stdin.close()


def test_two_promotions_and_a_rollback_under_load(project: Project, url: str, record_property: Any) -> None:
    table = load_breast_cancer(as_frame=True).frame
    load = Load(url, table.drop(columns="target").iloc[0].to_dict())
    started, restored = time.monotonic(), 0.0
    with load.on():
        for target, version in (("1", 1), ("2", 2), ("previous", 1)):
            before = time.monotonic()
            done = project.run("--pipeline", "promotion", "--to", target, "--reason", f"to {target}")
            assert done.returncode == 0, done.stdout + done.stderr
            assert f"breast_cancer:{version} is the champion" in done.stdout
            restored = (
                next(t for t, name, _ in load.heard if t > before and name == f"breast_cancer:{version}") - before
            )
        time.sleep(max(0.0, SECONDS - (time.monotonic() - started)))
    record_property("seconds until the restored version answered", round(restored, 1))
    print(f"\n{len(load.heard):,} answers, restored in {restored:.1f} s, failed {len(load.failed)}", file=sys.stderr)
    assert load.failed == []
    values = {name: {p for _, own, p in load.heard if own == name} for _, name, _ in load.heard}
    assert set(values) == {f"breast_cancer:{k}" for k in (1, 2, 3)}
    assert all(len(found) == 1 for found in values.values()), values
    assert len(set.union(*values.values())) == 3
    assert load.heard[-1][1] == "breast_cancer:1"


def test_a_predictor_that_was_tampered_with_changes_nothing_anywhere(project: Project, url: str) -> None:
    before, answered = project.registries("breast_cancer"), httpx.get(f"{url}/health").json()["version"]
    for stored in Path(project.folder / "stores").rglob("promoted/**/reference.parquet"):
        content = stored.read_bytes()
        stored.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    done = project.run("--pipeline", "promotion", "--to", "2", "--reason", "why not")
    assert done.returncode == 2 and "reference.parquet was changed" in done.stderr and "Traceback" not in done.stderr
    after = project.registries("breast_cancer")
    assert (after["stages"], after["alias"], after["promotions"]) == tuple(
        before[what] for what in ("stages", "alias", "promotions")
    )
    assert httpx.get(f"{url}/health").json()["version"] == answered

"""The tutorial's commands, typed one after the other as a reader would, give what the page says."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.support.doc_blocks import ROOT, blocks_of
from tests.support.project_copy import Project

pytestmark = pytest.mark.slow
PAGE = ROOT / "docs" / "tutorials" / "first-model.md"
SHOWN = "127.0.0.1:3000"


def environment(project: Project) -> dict[str, str]:
    """The copy's own stores, and this Python as `python`."""
    return project.environment | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}


def typed(project: Project, text: str) -> str:
    """What one block prints; a failing command ends it."""
    command = ["bash", "-euc", text]
    done = subprocess.run(
        command, cwd=project.folder, env=environment(project), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{text}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout


@contextmanager
def served(project: Project) -> Iterator[str]:
    """`make serve`, on a port that is free."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "bentoml", "serve", "credence:latest", "--host", "127.0.0.1", "--port", str(port)]
    with subprocess.Popen(
        command, cwd=project.folder, env=environment(project), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as server:
        try:
            address = f"127.0.0.1:{port}"
            wait_until_ready(f"http://{address}/readyz")
            yield address
        finally:
            server.terminate()


def wait_until_ready(url: str) -> None:
    for _ in range(600):
        try:
            if httpx.get(url).status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.2)
    raise AssertionError(f"{url} is not ready")


def test_the_tutorial_comes_out_as_told(tmp_path: Path) -> None:
    project = Project.copy(tmp_path)
    shutil.copytree(ROOT / "docs" / "tutorials", project.folder / "docs" / "tutorials")
    typed_blocks = [b.text for b in blocks_of(PAGE) if b.language == "bash" and not b.text.startswith("make ")]
    before = [b for b in typed_blocks if SHOWN not in b]
    make, dry_run, train = before[:3]
    assert "2,000 customers" in typed(project, make)
    assert "candidates: logistic" in typed(project, dry_run)
    assert "promote: There is no champion yet." in typed(project, train)
    with served(project) as address:
        said = "".join(typed(project, b.replace(SHOWN, address)) for b in typed_blocks[3:] if "operate.py" not in b)
        odd = {"plan": "family", "months": 3, "monthly_fee": 41.5, "support_calls": 4, "late_payments": 1}
        row = {**odd, "data_gb": 900, "paperless": "no"}
        assert httpx.post(f"http://{address}/predict", json=row).json()["reasons"] == ["out of range: data_gb"]
    assert '"label":"yes"' in said and "quiet: " in said and "drift: " in said and "monthly_fee" in said
    assert len((project.folder / "answers.csv").read_text().splitlines()) == 2001

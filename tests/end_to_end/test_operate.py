"""The story that the documentation tells of a running system comes out as told."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.project_copy import ROOT, Project

pytestmark = pytest.mark.slow


def test_from_a_quiet_window_over_drift_to_a_service_that_answers_anew(tmp_path: Path) -> None:
    project = Project.copy(tmp_path)
    (project.folder / "docs" / "tutorials").mkdir(parents=True)
    shutil.copy(ROOT / "docs" / "tutorials" / "operate.py", project.folder / "docs" / "tutorials")
    command = [sys.executable, "docs/tutorials/operate.py"]
    done = subprocess.run(
        command, cwd=project.folder, env=project.environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert done.stdout.count("\nyes: ") == 5 and "NO: " not in done.stdout
    assert "Traceback" not in done.stderr

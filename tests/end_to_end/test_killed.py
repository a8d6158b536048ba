"""A run that is killed at any moment loses nothing: the next one completes, and both registries name one champion."""

import random
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.support.project_copy import Project

pytestmark = pytest.mark.slow

TIMES = 20
NEWBORN = 6
MODELS = ("--set", "models=[{kind: logistic}]", "--no-deploy")
JUDGED_SOON = "is the challenger"
JUDGED_SECONDS = 5.0


def promoted_anew(k: int) -> tuple[str, ...]:
    """A run that trains again and replaces the champion: another penalty every time, and a gate that lets all pass."""
    penalty = (0.01 if k % 2 else 1) * (1 + k / 100)
    gate = "gate={metric: accuracy, margin: 0.9, minimum: 0.1, calibration_error: false, coverage: false}"
    return "--no-deploy", "--set", f"models=[{{kind: logistic, C: {penalty:.4f}}}]", "--set", gate


def killed(process: "subprocess.Popen[str]", after: float, line: str | None = None) -> None:
    """SIGKILL so many seconds after the start, or after a line of progress."""
    if line is not None:
        assert process.stderr is not None
        assert any(line in said for said in process.stderr), "it ended before that line"
    time.sleep(after)
    process.send_signal(signal.SIGKILL)
    process.communicate()


def test_kill_at_random_moments(tmp_path: Path) -> None:
    """Every other round is killed around the promotion, where something is written every few milliseconds."""
    project, dice = Project.copy(tmp_path), random.Random(0)
    started = time.monotonic()
    assert project.run(*promoted_anew(0)).returncode == 0
    whole = time.monotonic() - started
    replaced = 0
    for k in range(1, TIMES + 1):
        victim = project.start(*promoted_anew(k))
        if k % 2:
            killed(victim, dice.uniform(0, JUDGED_SECONDS), JUDGED_SOON)
        else:
            killed(victim, dice.uniform(0.3, 1.0) * whole)
        before = champions(project)
        assert len(before) == 1, f"round {k}: {before}"
        done = project.run(*promoted_anew(k))
        assert done.returncode == 0, f"round {k}: {done.stdout}{done.stderr}"
        after = champions(project, aligned=True)
        assert len(after) == 1, f"round {k}: {after}"
        replaced += after != before
    assert replaced >= TIMES // 4, "the rounds are meant to promote"


def test_kill_while_the_store_is_made(tmp_path: Path) -> None:
    """Even the first run of all, which creates the databases, may end at any moment."""
    dice = random.Random(1)
    for k in range(NEWBORN):
        project = Project.copy(tmp_path / str(k))
        killed(project.start(*MODELS), dice.uniform(0, 6.0), "starting ZenML")
        done = project.run(*MODELS)
        assert done.returncode == 0, f"round {k}: {done.stdout}{done.stderr}"
        assert len(champions(project, aligned=True)) == 1


def champions(project: Project, aligned: bool = False) -> list[str]:
    """The versions in production; where asked, after a look whether MLflow's alias names the same."""
    state = project.registries("breast_cancer")
    found = [number for number, stage in state["stages"].items() if stage == "production"]
    if aligned:
        assert [state["alias"]] == found, state
    return found

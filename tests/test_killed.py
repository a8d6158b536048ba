"""A run that is killed at any moment loses nothing: the next one completes, and both registries name one champion."""

import random
import signal
import time
from pathlib import Path

import pytest

from tests.project import Project

TIMES = 20
MODELS = ("--set", "models=[{kind: logistic}]", "--no-deploy")


@pytest.mark.slow
def test_kill_at_random_moments(tmp_path: Path) -> None:
    """Each round changes the split's salt, so that every run trains and judges anew, and may promote."""
    project, dice = Project.copy(tmp_path), random.Random(0)
    started = time.monotonic()
    assert project.run(*MODELS).returncode == 0
    whole = time.monotonic() - started
    for k in range(TIMES):
        salt = ("--set", f"split.salt={k}", "--set", "gate.margin=0.5")
        victim = project.start(*MODELS, *salt)
        time.sleep(dice.uniform(0.3, 1.0) * whole)
        victim.send_signal(signal.SIGKILL)
        victim.communicate()
        check(project)
        done = project.run(*MODELS, *salt)
        assert done.returncode == 0, f"round {k}: {done.stdout}{done.stderr}"
        check(project, aligned=True)


def check(project: Project, aligned: bool = False) -> None:
    state = project.registries("breast_cancer")
    champions = [number for number, stage in state["stages"].items() if stage == "production"]
    assert len(champions) == 1, state
    if aligned:
        assert state["alias"] == champions[0], state

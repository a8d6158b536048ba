"""Call the serving side in a process of its own, so that ZenML's code and the service's never meet."""

import json
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

from credence.core.errors import InputError
from credence.core.paths import serving_folder


def has_running_service(task: str) -> bool:
    """Has a service of the task been started and not tidied away?"""
    return any((serving_folder(task) / "workers").glob("*.json"))


def run_bentos(*arguments: str) -> dict[str, Any]:
    """What `python -m bentos ...` found. BadInput for its one sentence, RuntimeError for anything else."""
    return _found(_started(*arguments), "")


@cache
def preload() -> "subprocess.Popen[str]":
    """What will have running services prove a predictor. Started early, it imports beside ZenML and not after it."""
    return _started("prepare", "-")


def prepare_services(folder: Path) -> dict[str, Any]:
    """Let every running worker load the predictor of a folder and prove it."""
    process = preload()
    preload.cache_clear()
    return _found(process, f"{folder}\n")


def _started(*arguments: str) -> "subprocess.Popen[str]":
    pipes: dict[str, Any] = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    return subprocess.Popen([sys.executable, "-m", "bentos", *arguments], text=True, **pipes)


def _found(process: "subprocess.Popen[str]", said: str) -> dict[str, Any]:
    with process:
        out, error = process.communicate(said)
    if process.returncode == 2:
        raise InputError(error.strip().splitlines()[-1].removeprefix("error: "))
    if process.returncode:
        raise RuntimeError(f"{process.args!r} ended with exit code {process.returncode}:\n{error}")
    found: dict[str, Any] = json.loads(out.strip().splitlines()[-1])
    return found

"""Run `python -m bentos` in a child process, so that ZenML and BentoML are never imported together."""

import json
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

from credence.core.errors import InputError
from credence.core.paths import serving_folder


def has_running_service(task: str) -> bool:
    """Return whether a service of the task has left status files of workers, so that it may be running."""
    return any((serving_folder(task) / "workers").glob("*.json"))


def run_bentos(*arguments: str) -> dict[str, Any]:
    """Run `python -m bentos` and return the JSON it prints.

    Raises:
        InputError: It ended with exit code 2; the message is its sentence.
        RuntimeError: It failed in another way.
    """
    return _result(_start(*arguments), "")


@cache
def preload() -> "subprocess.Popen[str]":
    """Start the `python -m bentos prepare` process early, so that its imports overlap with ZenML's."""
    return _start("prepare", "-")


def prepare_services(folder: Path) -> dict[str, Any]:
    """Let every running worker load and check the predictor of a folder; returns the JSON of `prepare`."""
    process = preload()
    preload.cache_clear()
    return _result(process, f"{folder}\n")


def _start(*arguments: str) -> "subprocess.Popen[str]":
    pipes: dict[str, Any] = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    return subprocess.Popen([sys.executable, "-m", "bentos", *arguments], text=True, **pipes)


def _result(process: "subprocess.Popen[str]", stdin: str) -> dict[str, Any]:
    with process:
        out, error = process.communicate(stdin)
    if process.returncode == 2:
        raise InputError(error.strip().splitlines()[-1].removeprefix("error: "))
    if process.returncode:
        raise RuntimeError(f"{process.args!r} ended with exit code {process.returncode}:\n{error}")
    found: dict[str, Any] = json.loads(out.strip().splitlines()[-1])
    return found

"""Status of each worker process of a task, one JSON file each; files of dead processes are removed."""

import os
from pathlib import Path
from typing import Literal

import psutil  # type: ignore[import-untyped]
from pydantic import ValidationError

from credence.core.atomic_write import atomic_write_text
from credence.core.errors import InputError
from credence.core.paths import serving_folder
from credence.core.registry import StrictModel

FOLDER = "workers"
CLOCK_MS = 2000  # tolerance for a process's start time, which shifts when the system clock is set
WorkerState = Literal["starting", "serving", "prepared", "refused"]
ChallengerState = Literal["none", "starting", "ready", "refused"]


class WorkerStatus(StrictModel):
    """The status that a worker publishes.

    Attributes:
        pid: Its process id.
        started: When the process started, in milliseconds since 1970.
        supervisor: The process id of its server.
        since: It applies editions of the desired state later than this one.
        state: Where it is with `generation`.
        generation: The last generation it was asked to load.
        version: The version it serves.
        tried: The generation of its challenger; 0 for none.
        challenger: The version of its challenger; empty for none.
        trial: The state of its challenger.
        reason: Why it refused, if it did.
    """

    pid: int
    started: int
    supervisor: int
    since: int
    state: WorkerState = "starting"
    generation: int = 0
    version: str = ""
    tried: int = 0
    challenger: str = ""
    trial: ChallengerState = "none"
    reason: str = ""

    def lives(self) -> bool:
        """Return whether the process is running, and is not a later one with the same id."""
        started = _started(self.pid)
        return started is not None and abs(started - self.started) <= CLOCK_MS


def own_status(since: int) -> WorkerStatus:
    """Create the initial status of this process, which applies editions later than `since`."""
    return WorkerStatus(pid=os.getpid(), started=_started(os.getpid()) or 0, supervisor=os.getppid(), since=since)


def write_status(task: str, report: WorkerStatus) -> None:
    """Replace a worker's status file."""
    file = _file(task, report)
    file.parent.mkdir(parents=True, exist_ok=True)
    atomic_write_text(file, report.model_dump_json())


def remove_status(task: str, report: WorkerStatus) -> None:
    """Remove a worker's status file."""
    _file(task, report).unlink(missing_ok=True)


def live_workers(task: str) -> list[WorkerStatus]:
    """Read the status of all running workers of a task; remove the files of dead ones.

    Raises:
        InputError: A status file cannot be parsed.
    """
    found = []
    for file in sorted((serving_folder(task) / FOLDER).glob("*.json")):
        report = _read(file)
        if report and report.lives():
            found.append(report)
        elif report:
            file.unlink(missing_ok=True)
    return found


def _read(file: Path) -> WorkerStatus | None:
    try:
        return WorkerStatus.model_validate_json(file.read_bytes())
    except FileNotFoundError:  # its worker has just ended
        return None
    except ValidationError:
        raise InputError(f"{file} is not what a worker writes; remove it, and try again.") from None


def _file(task: str, report: WorkerStatus) -> Path:
    return serving_folder(task) / FOLDER / f"{report.pid}-{report.started}.json"


def _started(pid: int) -> int | None:
    """Return a process's start time in milliseconds since 1970; None if it is gone or a zombie."""
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else round(process.create_time() * 1000)
    except psutil.NoSuchProcess:
        return None

"""What every worker of a task's servers says of itself: one small file each, dropped where its process is gone."""

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
CLOCK_MS = 2000  # the time at which a process began is told from the clock, which may be set meanwhile
WorkerState = Literal["starting", "serving", "prepared", "refused"]
ChallengerState = Literal["none", "starting", "ready", "refused"]


class WorkerStatus(StrictModel):
    """A worker's own words: what it answers with, how far it is with the generation that was asked for last, and with
    the challenger that it tries."""

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
        """Whether the process is there, and no later one that was given the same number."""
        started = _started(self.pid)
        return started is not None and abs(started - self.started) <= CLOCK_MS


def own_status(since: int) -> WorkerStatus:
    """The report of this process before it has answered anything; it obeys what is later than edition `since`."""
    return WorkerStatus(pid=os.getpid(), started=_started(os.getpid()) or 0, supervisor=os.getppid(), since=since)


def write_status(task: str, report: WorkerStatus) -> None:
    """Put a worker's report in the place of its last one."""
    file = _file(task, report)
    file.parent.mkdir(parents=True, exist_ok=True)
    atomic_write_text(file, report.model_dump_json())


def remove_status(task: str, report: WorkerStatus) -> None:
    """A worker that ends takes its report with it."""
    _file(task, report).unlink(missing_ok=True)


def live_workers(task: str) -> list[WorkerStatus]:
    """The reports of all workers that run; those of the dead are removed."""
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
    except FileNotFoundError:  # its worker ended this moment
        return None
    except ValidationError:
        raise InputError(f"{file} is not what a worker writes; remove it, and try again.") from None


def _file(task: str, report: WorkerStatus) -> Path:
    return serving_folder(task) / FOLDER / f"{report.pid}-{report.started}.json"


def _started(pid: int) -> int | None:
    """When a process began, in milliseconds; None where there is none, or only its remains."""
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else round(process.create_time() * 1000)
    except psutil.NoSuchProcess:
        return None

"""Ask the servers of a task for another predictor: all workers load it beside the old, and then all swap, or none."""

import time
from collections.abc import Callable
from typing import Any

from bentos.rollout.desired_state import (
    DesiredChallenger,
    DesiredState,
    StoredPredictor,
    desired_state_lock,
    next_edition,
    read_desired_state,
    write_desired_state,
)
from bentos.rollout.worker_status import WorkerStatus, live_workers
from credence.core.errors import InputError

PREPARE_SECONDS = 60.0
POLL_SECONDS = 0.05
Found = dict[str, Any]
StateOf = Callable[[WorkerStatus], str]


def prepare_version(task: str, named: StoredPredictor, seconds: float = PREPARE_SECONDS) -> Found:
    """Let every worker load this predictor and prove it. Takes it back where one refuses or needs longer."""
    with desired_state_lock(task):
        generation = next_edition(read_desired_state(task))
        _change(task, generation, pending=named.model_copy(update={"generation": generation}))
        found = _wait(task, generation, lambda r: r.state if r.generation == generation else "", "prepared", seconds)
        if found["state"] == "refused":
            _change(task, pending=None)
    return {**found, "generation": generation, "tag": named.tag}


def commit_version(task: str, generation: int, seconds: float = PREPARE_SECONDS) -> Found:
    """Let every worker answer with what it has prepared. Refused where one has not, and then nothing changes."""
    with desired_state_lock(task):
        wanted = read_desired_state(task)
        champion = wanted.pending
        if champion is None or champion.generation != generation:
            raise InputError(f"generation {generation} of {task} is not prepared, or no longer; prepare it again.")
        refusing = [r for r in live_workers(task) if r.state == "refused" and r.generation == generation]
        if refusing:
            return {**_told("refused", refusing), "generation": generation}
        edition = next_edition(wanted)
        write_desired_state(
            task, DesiredState(edition=edition, champion=champion, decided=edition, challenger=_rival(wanted, champion))
        )
        found = _wait(task, edition, lambda r: r.state if r.generation == generation else "", "serving", seconds)
    return {**found, "generation": generation}


def abort_version(task: str, generation: int) -> Found:
    """Drop what was prepared; doing so twice, or after a later `prepare_version`, changes nothing."""
    with desired_state_lock(task):
        wanted = read_desired_state(task)
        if wanted.champion and wanted.champion.generation == generation:
            raise InputError(f"generation {generation} of {task} is served already; prepare the one before it instead.")
        if wanted.pending and wanted.pending.generation == generation:
            _change(task, pending=None)
        return {**_told("aborted", live_workers(task)), "generation": generation}


def start_challenger(task: str, challenger: DesiredChallenger, seconds: float = PREPARE_SECONDS) -> Found:
    """Let every worker try this predictor. Takes it back where one refuses or needs longer."""
    with desired_state_lock(task):
        before, edition = read_desired_state(task).challenger, next_edition(read_desired_state(task))
        _change(task, edition, challenger=challenger.model_copy(update={"generation": edition}))
        found = _wait(task, edition, lambda r: r.trial if r.tried == edition else "", "ready", seconds)
        if found["state"] == "refused":
            _change(task, challenger=before)
    return {**found, "tag": challenger.tag}


def stop_challenger(task: str) -> Found:
    """End the trial, where there is one."""
    with desired_state_lock(task):
        _change(task, challenger=None)
        return _told("ended", live_workers(task))


def _rival(wanted: DesiredState, champion: StoredPredictor) -> DesiredChallenger | None:
    """A trial goes on against the new champion, unless its challenger is the one."""
    return wanted.challenger if wanted.challenger and wanted.challenger.version != champion.version else None


def _change(task: str, edition: int | None = None, **about: StoredPredictor | None) -> None:
    wanted = read_desired_state(task)
    write_desired_state(task, wanted.model_copy(update={"edition": edition or next_edition(wanted), **about}))


def _wait(task: str, asked: int, state_of: StateOf, state: str, seconds: float) -> Found:
    """Until every worker of a server that was there when it was asked is in this state, or one refuses."""
    deadline = time.monotonic() + seconds
    while True:
        reports = [r for r in live_workers(task) if r.since < asked]
        refusing = [r for r in reports if state_of(r) == "refused"]
        late = [r.pid for r in reports if state_of(r) != state]
        if refusing:
            return {**_told("refused", refusing), "workers": len(reports)}
        if not late:
            return _told(state if reports else "nobody", reports)
        if time.monotonic() > deadline:
            reasons = [f"process {pid} is not ready after {seconds:g} s" for pid in late]
            return {"workers": len(reports), "state": "refused", "reasons": reasons}
        time.sleep(POLL_SECONDS)


def _told(state: str, reports: list[WorkerStatus]) -> Found:
    reasons = sorted({r.reason for r in reports if r.reason})
    return {"workers": len(reports), "state": state, "reasons": reasons}

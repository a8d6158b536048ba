"""Two-phase swap of the served predictor: all workers load the new one beside the old, then all switch or none."""

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
SwapResult = dict[str, Any]
StateOf = Callable[[WorkerStatus], str]


def prepare_version(task: str, stored: StoredPredictor, seconds: float = PREPARE_SECONDS) -> SwapResult:
    """Let every worker load and check a predictor; take it back if one refuses or needs more than `seconds`.

    Returns:
        JSON: `state` ("prepared", "refused", or "nobody" without running workers), the number of `workers`,
        `reasons`, the `generation` to commit or abort, and the `tag`.

    Raises:
        InputError: Another command for the task is running, or its desired state cannot be read.
    """
    with desired_state_lock(task):
        generation = next_edition(read_desired_state(task))
        _change(task, generation, pending=stored.model_copy(update={"generation": generation}))
        result = _wait(task, generation, lambda r: r.state if r.generation == generation else "", "prepared", seconds)
        if result["state"] == "refused":
            _change(task, pending=None)
    return {**result, "generation": generation, "tag": stored.tag}


def commit_version(task: str, generation: int, seconds: float = PREPARE_SECONDS) -> SwapResult:
    """Switch every worker to the predictor it has prepared. If a worker has refused it, nothing changes.

    Returns:
        JSON: `state` ("serving", "refused" or "nobody"), `workers`, `reasons` and `generation`.

    Raises:
        InputError: That generation is not prepared, or another command for the task is running.
    """
    with desired_state_lock(task):
        desired = read_desired_state(task)
        champion = desired.pending
        if champion is None or champion.generation != generation:
            raise InputError(f"generation {generation} of {task} is not prepared, or no longer; prepare it again.")
        refusing = [r for r in live_workers(task) if r.state == "refused" and r.generation == generation]
        if refusing:
            return {**_summary("refused", refusing), "generation": generation}
        edition = next_edition(desired)
        challenger = _challenger_after(desired, champion)
        committed = DesiredState(edition=edition, champion=champion, decided=edition, challenger=challenger)
        write_desired_state(task, committed)
        result = _wait(task, edition, lambda r: r.state if r.generation == generation else "", "serving", seconds)
    return {**result, "generation": generation}


def abort_version(task: str, generation: int) -> SwapResult:
    """Drop the prepared predictor. A second call, or one after a later `prepare_version`, changes nothing.

    Raises:
        InputError: That generation is served already, or another command for the task is running.
    """
    with desired_state_lock(task):
        desired = read_desired_state(task)
        if desired.champion and desired.champion.generation == generation:
            raise InputError(f"generation {generation} of {task} is served already; prepare the one before it instead.")
        if desired.pending and desired.pending.generation == generation:
            _change(task, pending=None)
        return {**_summary("aborted", live_workers(task)), "generation": generation}


def start_challenger(task: str, challenger: DesiredChallenger, seconds: float = PREPARE_SECONDS) -> SwapResult:
    """Let every worker serve a challenger; restore the previous one if a worker refuses or needs more than `seconds`.

    Returns:
        JSON: `state` ("ready", "refused" or "nobody"), `workers`, `reasons` and `tag`.

    Raises:
        InputError: Another command for the task is running, or its desired state cannot be read.
    """
    with desired_state_lock(task):
        before, edition = read_desired_state(task).challenger, next_edition(read_desired_state(task))
        _change(task, edition, challenger=challenger.model_copy(update={"generation": edition}))
        result = _wait(task, edition, lambda r: r.trial if r.tried == edition else "", "ready", seconds)
        if result["state"] == "refused":
            _change(task, challenger=before)
    return {**result, "tag": challenger.tag}


def stop_challenger(task: str) -> SwapResult:
    """Stop serving the challenger, if there is one."""
    with desired_state_lock(task):
        _change(task, challenger=None)
        return _summary("ended", live_workers(task))


def _challenger_after(desired: DesiredState, champion: StoredPredictor) -> DesiredChallenger | None:
    """Keep the challenger beside a new champion, unless it is the new champion."""
    return desired.challenger if desired.challenger and desired.challenger.version != champion.version else None


def _change(task: str, edition: int | None = None, **about: StoredPredictor | None) -> None:
    desired = read_desired_state(task)
    write_desired_state(task, desired.model_copy(update={"edition": edition or next_edition(desired), **about}))


def _wait(task: str, asked: int, state_of: StateOf, state: str, seconds: float) -> SwapResult:
    """Wait until all workers of servers started before edition `asked` are in `state`, or one refuses."""
    deadline = time.monotonic() + seconds
    while True:
        reports = [r for r in live_workers(task) if r.since < asked]
        refusing = [r for r in reports if state_of(r) == "refused"]
        late = [r.pid for r in reports if state_of(r) != state]
        if refusing:
            return {**_summary("refused", refusing), "workers": len(reports)}
        if not late:
            return _summary(state if reports else "nobody", reports)
        if time.monotonic() > deadline:
            reasons = [f"process {pid} is not ready after {seconds:g} s" for pid in late]
            return {"workers": len(reports), "state": "refused", "reasons": reasons}
        time.sleep(POLL_SECONDS)


def _summary(state: str, reports: list[WorkerStatus]) -> SwapResult:
    reasons = sorted({r.reason for r in reports if r.reason})
    return {"workers": len(reports), "state": state, "reasons": reasons}

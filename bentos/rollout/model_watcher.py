"""Apply the desired state in one worker: load a version beside the old one, check it, swap it in or refuse it."""

import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bentos.rollout import worker_status
from bentos.rollout.challenger import Router, ServedChallenger
from bentos.rollout.desired_state import DesiredChallenger, DesiredState, StoredPredictor, read_desired_state
from bentos.rollout.load_check import load_and_verify
from bentos.runtime.loaded_predictor import LoadedPredictor
from credence.core.errors import InputError

SINCE = "CREDENCE_SINCE"
logger = logging.getLogger("bentoml.credence")


class ModelWatcher:
    """The predictors of one worker.

    A request reads `router` once. Only the file watcher's thread assigns it, so a swap is one assignment.

    Args:
        folder: The predictor that the server was started with.
        task: The task's name.
        logs: Whether answers to shadow traffic are logged.
        environment: Where CREDENCE_SINCE, the edition at the server's start, is read from.
    """

    router: Router

    def __init__(self, folder: Path, task: str, logs: bool, environment: Mapping[str, str] = os.environ) -> None:
        self._folder, self.task, self._logs = folder, task, logs
        # A server applies only editions later than its start. Workers that it restarts do the same.
        self._since = int(environment.get(SINCE) or last_edition(task))
        self._serving, self._loaded, self._tried = 0, 0, 0
        self._failures = 0
        self._prepared: LoadedPredictor | None = None
        self._report: worker_status.WorkerStatus | None = None

    def start(self, follows: bool = True) -> None:
        """Load the predictor that the server was started with, or the champion committed since.

        Args:
            follows: Whether to apply the desired state at all.
        """
        if not follows:
            self.router = Router(LoadedPredictor(self._folder))
            return
        self._report = worker_status.own_status(self._since)
        self._publish()
        desired = self._read()
        self._apply_champion(desired)
        if not self._serving:
            self.router = Router(LoadedPredictor(self._folder))
            self._publish(version=self.router.champion.info.version)
        if self._report.state == "starting":
            self._publish(state="serving")
        self._apply_candidates(desired)

    def apply(self) -> None:
        """Read the desired state and apply it."""
        desired = read_desired_state(self.task)
        self._apply_champion(desired)
        self._apply_candidates(desired)

    def report(self) -> None:
        """Publish the state of the shadow process if it has changed; the process starts in the background."""
        challenger = self.router.challenger
        if self._report and challenger and challenger.shadow.state != self._report.trial:
            self._publish(trial=challenger.shadow.state, reason=challenger.shadow.reason)

    def failures(self) -> int:
        """Return how many requests this worker's challengers have not answered so far."""
        return self._failures + (self.router.challenger.failures() if self.router.challenger else 0)

    def stop(self) -> None:
        """Stop serving the challenger and remove this worker's status file."""
        self._end_trial()
        if self._report:
            worker_status.remove_status(self.task, self._report)

    def _read(self) -> DesiredState:
        """Read the desired state; an empty one if the file is damaged, since the server must start anyway."""
        try:
            return read_desired_state(self.task)
        except InputError as error:
            logger.error("%s", error)
            return DesiredState()

    def _apply_champion(self, desired: DesiredState) -> None:
        stored = desired.champion
        if stored is None or desired.decided <= self._since or stored.generation == self._serving:
            return
        if stored.generation != self._loaded:
            self._load(stored)
        if self._prepared:
            self._end_trial()
            self.router, self._prepared, self._serving = Router(self._prepared), None, stored.generation
            version = self.router.champion.info.version
            self._publish(state="serving", generation=self._serving, version=version, reason="")

    def _apply_candidates(self, desired: DesiredState) -> None:
        self._apply_pending(desired.pending)
        self._apply_challenger(desired.challenger)

    def _apply_pending(self, stored: StoredPredictor | None) -> None:
        if stored and stored.generation > max(self._since, self._loaded):
            self._load(stored)
        elif stored is None and self._prepared:
            self._prepared = None
            self._publish(state="serving", generation=self._serving)

    def _load(self, stored: StoredPredictor) -> None:
        self._loaded, self._prepared = stored.generation, None
        try:
            self._prepared = load_and_verify(stored, self.task)
            self._publish(state="prepared", generation=stored.generation, reason="")
        except Exception as error:  # whatever is wrong with the new version, the old one continues to serve
            logger.exception("%s is refused; %s is answered as before", stored.tag, self.task)
            self._publish(state="refused", generation=stored.generation, reason=str(error) or type(error).__name__)

    def _apply_challenger(self, stored: DesiredChallenger | None) -> None:
        if stored is None or stored.version == self.router.champion.info.version:
            self._end_trial()
        elif stored.generation != self._tried:
            self._end_trial()
            self._tried = stored.generation
            self._start_trial(stored)

    def _start_trial(self, stored: DesiredChallenger) -> None:
        about = {"tried": stored.generation, "challenger": stored.version}
        try:
            challenger = ServedChallenger(stored, self.router.champion, self.task, self._logs)
            self.router = Router(self.router.champion, challenger)
            self._publish(**about, trial="starting", reason="")
        except Exception as error:  # a challenger that cannot be loaded must not disturb the champion
            logger.exception("%s is not served as challenger", stored.tag)
            self._publish(**about, trial="refused", reason=str(error) or type(error).__name__)

    def _end_trial(self) -> None:
        """Remove the challenger. Requests in progress still hold it; their copies are dropped."""
        if hasattr(self, "router") and (challenger := self.router.challenger):
            self.router = Router(self.router.champion)
            challenger.close()
            self._failures += challenger.failures()
        if self._tried:
            self._tried = 0
            self._publish(tried=0, challenger="", trial="none")

    def _publish(self, **about: Any) -> None:
        if self._report:
            self._report = self._report.model_copy(update=about)
            worker_status.write_status(self.task, self._report)


def last_edition(task: str) -> int:
    """Return the edition of the desired state; 0 if the file cannot be read, so that a server starts anyway."""
    try:
        return read_desired_state(task).edition
    except InputError:
        return 0

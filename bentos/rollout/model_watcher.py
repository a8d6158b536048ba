"""Keeps one worker at what is wanted: loads beside, proves, swaps in one assignment, or refuses and keeps the old."""

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
    """What this worker answers with. Requests take `lineup` once; one thread alone assigns it."""

    lineup: Router

    def __init__(self, folder: Path, task: str, logs: bool, environment: Mapping[str, str] = os.environ) -> None:
        self._folder, self.task, self._logs = folder, task, logs
        # A server serves what it was started with and obeys what is asked for afterwards; so do the workers that it
        # starts again later.
        self._since = int(environment.get(SINCE) or last_edition(task))
        self._serves, self._loaded, self._tried = 0, 0, 0
        self._missed = 0
        self._beside: LoadedPredictor | None = None
        self._report: worker_status.WorkerStatus | None = None

    def start(self, follows: bool = True) -> None:
        """Load what the server was started with, or what has been asked for since."""
        if not follows:
            self.lineup = Router(LoadedPredictor(self._folder))
            return
        self._report = worker_status.own_status(self._since)
        self._tell()
        wanted = self._read()
        self._swap(wanted)
        if not self._serves:
            self.lineup = Router(LoadedPredictor(self._folder))
            self._tell(version=self.lineup.champion.info.version)
        if self._report.state == "starting":
            self._tell(state="serving")
        self._follow(wanted)

    def apply(self) -> None:
        """Do what the file says now."""
        wanted = read_desired_state(self.task)
        self._swap(wanted)
        self._follow(wanted)

    def report(self) -> None:
        """Tell how the trial stands, whose process comes up in its own time."""
        trial = self.lineup.trial
        if self._report and trial and trial.shadow.state != self._report.trial:
            self._tell(trial=trial.shadow.state, reason=trial.shadow.reason)

    def failures(self) -> int:
        """How many requests the trials of this worker have missed so far."""
        return self._missed + (self.lineup.trial.failures() if self.lineup.trial else 0)

    def stop(self) -> None:
        """End the trial, and say that this worker is gone."""
        self._end_trial()
        if self._report:
            worker_status.remove_status(self.task, self._report)

    def _read(self) -> DesiredState:
        """A server must start also where the file is spoiled; then it serves what it was started with."""
        try:
            return read_desired_state(self.task)
        except InputError as error:
            logger.error("%s", error)
            return DesiredState()

    def _swap(self, wanted: DesiredState) -> None:
        named = wanted.champion
        if named is None or wanted.decided <= self._since or named.generation == self._serves:
            return
        if named.generation != self._loaded:
            self._load(named)
        if self._beside:
            self._end_trial()
            self.lineup, self._beside, self._serves = Router(self._beside), None, named.generation
            version = self.lineup.champion.info.version
            self._tell(state="serving", generation=self._serves, version=version, reason="")

    def _follow(self, wanted: DesiredState) -> None:
        self._prepare(wanted.pending)
        self._try(wanted.challenger)

    def _prepare(self, named: StoredPredictor | None) -> None:
        if named and named.generation > max(self._since, self._loaded):
            self._load(named)
        elif named is None and self._beside:
            self._beside = None
            self._tell(state="serving", generation=self._serves)

    def _load(self, named: StoredPredictor) -> None:
        self._loaded, self._beside = named.generation, None
        try:
            self._beside = load_and_verify(named, self.task)
            self._tell(state="prepared", generation=named.generation, reason="")
        except Exception as error:  # whatever is wrong with the new one, the old one goes on answering
            logger.exception("%s is refused; %s is answered as before", named.tag, self.task)
            self._tell(state="refused", generation=named.generation, reason=str(error) or type(error).__name__)

    def _try(self, named: DesiredChallenger | None) -> None:
        if named is None or named.version == self.lineup.champion.info.version:
            self._end_trial()
        elif named.generation != self._tried:
            self._end_trial()
            self._tried = named.generation
            self._begin_trial(named)

    def _begin_trial(self, named: DesiredChallenger) -> None:
        told = {"tried": named.generation, "challenger": named.version}
        try:
            trial = ServedChallenger(named, self.lineup.champion, self.task, self._logs)
            self.lineup = Router(self.lineup.champion, trial)
            self._tell(**told, trial="starting", reason="")
        except Exception as error:  # a challenger that cannot be loaded is no reason to answer less
            logger.exception("%s is not tried", named.tag)
            self._tell(**told, trial="refused", reason=str(error) or type(error).__name__)

    def _end_trial(self) -> None:
        """Requests under way still hold the trial; what they copy then is dropped."""
        if hasattr(self, "lineup") and (trial := self.lineup.trial):
            self.lineup = Router(self.lineup.champion)
            trial.close()
            self._missed += trial.failures()
        if self._tried:
            self._tried = 0
            self._tell(tried=0, challenger="", trial="none")

    def _tell(self, **about: Any) -> None:
        if self._report:
            self._report = self._report.model_copy(update=about)
            worker_status.write_status(self.task, self._report)


def last_edition(task: str) -> int:
    """The edition of what is wanted now. A file that cannot be read stops no server: it obeys the next one."""
    try:
        return read_desired_state(task).edition
    except InputError:
        return 0

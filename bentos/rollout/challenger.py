"""A challenger on trial in one worker: which requests it answers, and the process where copies are answered."""

import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeVar

from bentos.rollout.desired_state import DesiredChallenger
from bentos.rollout.load_check import load_and_verify
from bentos.rollout.shadow_client import ShadowClient
from bentos.runtime.loaded_predictor import LoadedPredictor
from bentos.runtime.request_context import RequestContext

logger = logging.getLogger("bentoml.credence")


class ServedChallenger:
    """What one edition of `challenger` asks for. Raises BadInput where the challenger is not what it should be."""

    def __init__(self, named: DesiredChallenger, champion: LoadedPredictor, task: str, logs: bool) -> None:
        self.named, self.champion = named, champion
        self._answerer = load_and_verify(named, task) if named.mode == "split" else None
        self.shadow = ShadowClient(named, champion.folder if self._answerer else None, task, logs)
        self._missed = 0

    def choose(self, caller: RequestContext) -> LoadedPredictor | None:
        """The challenger for a stable share of the sessions, or of the requests that name none."""
        if self._answerer and hash_share(caller.session or caller.request_id, self.named.tag) < self.named.share:
            return self._answerer
        return None

    def fall_back(self, error: Exception) -> None:
        """Count a request that the champion had to answer in the challenger's place."""
        self._missed += 1
        logger.warning("%s could not answer, the champion did: %r", self.named.tag, error)

    def failures(self) -> int:
        """How many requests the trial has missed."""
        return self._missed + self.shadow.failures

    def close(self) -> None:
        """End the trial; copies that wait are dropped."""
        self.shadow.close()


def hash_share(key: str, salt: str) -> float:
    """Where a key lies between 0 and 1: the same for all workers, another for every challenger."""
    digest = hashlib.blake2b(key.encode(), digest_size=8, salt=hashlib.blake2b(salt.encode(), digest_size=16).digest())
    return int.from_bytes(digest.digest(), "big") / 2**64


Role = Literal["champion", "challenger"]
T = TypeVar("T")


@dataclass(frozen=True)
class Router:
    """One request takes one lineup and keeps it, so no answer is made of two."""

    champion: LoadedPredictor
    trial: ServedChallenger | None = None

    def route(self, caller: RequestContext, work: Callable[[LoadedPredictor], T]) -> tuple[Role, T]:
        """The work done by the challenger where the request is on its side, otherwise by the champion.

        A challenger that fails is made up for: the champion answers, and the failure is counted.
        """
        challenger = self.trial.choose(caller) if self.trial else None
        if self.trial is None or challenger is None:
            return "champion", work(self.champion)
        try:
            return "challenger", work(challenger)
        except Exception as error:
            made_up = work(self.champion)  # a request that is wrong for both is the caller's mistake
            self.trial.fall_back(error)
            return "champion", made_up

    def shadow(self, role: Role, caller: RequestContext, body: bytes, many: bool) -> None:
        """Let whoever did not answer the caller answer a copy, beside the hot path."""
        if self.trial:
            self.trial.shadow.put("champion" if role == "challenger" else "challenger", caller.request_id, body, many)

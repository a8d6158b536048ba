"""Routing between champion and challenger in one worker, for A/B splits and shadow traffic."""

import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Concatenate, Literal, ParamSpec, TypeVar

from bentos.rollout.desired_state import DesiredChallenger
from bentos.rollout.load_check import load_and_verify
from bentos.rollout.shadow_client import ShadowClient
from bentos.runtime.loaded_predictor import LoadedPredictor
from bentos.runtime.request_context import RequestContext

logger = logging.getLogger("bentoml.credence")


class ServedChallenger:
    """A challenger that one worker serves beside the champion.

    Args:
        stored: The challenger, its mode (shadow or split) and its share of the traffic.
        champion: The present champion; in a split it answers copies of the challenger's requests.
        task: The task's name.
        logs: Whether answers to copies are logged.

    Raises:
        InputError: In a split, the challenger cannot be loaded or does not give the expected answers.
    """

    def __init__(self, stored: DesiredChallenger, champion: LoadedPredictor, task: str, logs: bool) -> None:
        self.stored = stored
        self._predictor = load_and_verify(stored, task) if stored.mode == "split" else None
        self.shadow = ShadowClient(stored, champion.folder if self._predictor else None, task, logs)
        self._fallbacks = 0

    def choose(self, context: RequestContext) -> LoadedPredictor | None:
        """Return the challenger if it gets this request: a stable share of sessions, or of requests without one."""
        if self._predictor and hash_share(context.session or context.request_id, self.stored.tag) < self.stored.share:
            return self._predictor
        return None

    def fall_back(self, error: Exception) -> None:
        """Count a request of the challenger that failed and that the champion answered."""
        self._fallbacks += 1
        logger.warning("%s could not answer, the champion did: %r", self.stored.tag, error)

    def failures(self) -> int:
        """Return the number of requests that the challenger did not answer, copies included."""
        return self._fallbacks + self.shadow.failures

    def close(self) -> None:
        """Stop the shadow process; queued copies are dropped."""
        self.shadow.close()


def hash_share(key: str, salt: str) -> float:
    """Hash a key to [0, 1): equal in all workers for one salt, independent between salts."""
    digest = hashlib.blake2b(key.encode(), digest_size=8, salt=hashlib.blake2b(salt.encode(), digest_size=16).digest())
    return int.from_bytes(digest.digest(), "big") / 2**64


Role = Literal["champion", "challenger"]
P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True)
class Router:
    """The champion and the challenger at one moment. A request uses one router throughout, also during a swap."""

    champion: LoadedPredictor
    challenger: ServedChallenger | None = None

    def route(
        self,
        context: RequestContext,
        method: Callable[Concatenate[LoadedPredictor, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> tuple[Role, LoadedPredictor, T]:
        """Call a method of the challenger if it gets this request, otherwise of the champion.

        If the challenger raises, the failure is counted and the champion is called instead.

        Args:
            context: The request.
            method: A method of `LoadedPredictor`, such as `LoadedPredictor.answer`.
            *args: Its arguments.
            **kwargs: Its keyword arguments.

        Returns:
            The role and the predictor that answered, and what the method returned.
        """
        chosen = self.challenger.choose(context) if self.challenger else None
        if self.challenger is None or chosen is None:
            return "champion", self.champion, method(self.champion, *args, **kwargs)
        try:
            return "challenger", chosen, method(chosen, *args, **kwargs)
        except Exception as error:
            # Raises again if the request itself is wrong; then it is not the challenger's failure.
            result = method(self.champion, *args, **kwargs)
            self.challenger.fall_back(error)
            return "champion", self.champion, result

    def shadow(self, role: Role, context: RequestContext, body: bytes, many: bool) -> None:
        """Queue a copy of the request for the side that did not answer it."""
        if self.challenger:
            other = "champion" if role == "challenger" else "challenger"
            self.challenger.shadow.put(other, context.request_id, body, many)

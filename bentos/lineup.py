"""Who answers: the champion, and a challenger that is tried on some of the requests or on copies of them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeVar

from bentos.answerer import Answerer
from bentos.caller import Caller
from bentos.trial import Trial

Role = Literal["champion", "challenger"]
T = TypeVar("T")


@dataclass(frozen=True)
class Lineup:
    """One request takes one lineup and keeps it, so no answer is made of two."""

    champion: Answerer
    trial: Trial | None = None

    def ask(self, caller: Caller, work: Callable[[Answerer], T]) -> tuple[Role, T]:
        """The work done by the challenger where the request is on its side, otherwise by the champion.

        A challenger that fails is made up for: the champion answers, and the failure is counted.
        """
        challenger = self.trial.side(caller) if self.trial else None
        if self.trial is None or challenger is None:
            return "champion", work(self.champion)
        try:
            return "challenger", work(challenger)
        except Exception as error:
            made_up = work(self.champion)  # a request that is wrong for both is the caller's mistake
            self.trial.missed(error)
            return "champion", made_up

    def copy(self, role: Role, caller: Caller, body: bytes, many: bool) -> None:
        """Let whoever did not answer the caller answer a copy, beside the hot path."""
        if self.trial:
            self.trial.shadow.put("champion" if role == "challenger" else "challenger", caller.request_id, body, many)

"""What became of one item: every attempt that was made for it, and how it ended."""

from dataclasses import dataclass
from typing import Literal

from credence.llm.messages import Reply, Request
from credence.llm.retry import Verdict

End = Literal["ok", "quarantine", "later", "stopped", "spent"]


@dataclass(frozen=True)
class Tally:
    """Failures counted against an item. Hand it to the next `ask` when the item comes back from the queue."""

    transport: int = 0
    content: int = 0
    refusals: int = 0
    doubled: bool = False


@dataclass(frozen=True)
class Attempt:
    """One call: what was sent to whom, what came back, what was decided, and its cost in nanodollars."""

    slot: str
    number: int
    request: Request
    reply: Reply
    verdict: Verdict
    reason: str
    cost: int
    reservation: str | None = None


@dataclass(frozen=True)
class Outcome:
    """How an item ended.

    ok: `value` is what the reader made of `reply`, which answered `request` (its provider may be a stand-in).
    quarantine: no further attempt would help, for `reason`.
    later: ask again after so many seconds, with `tally`; nothing was counted for the wait.
    stopped: no endpoint is left, for `reason`. spent: the budget does not pay for a further call.
    """

    end: End
    reason: str = ""
    attempts: tuple[Attempt, ...] = ()
    value: object = None
    reply: Reply | None = None
    request: Request | None = None
    tally: Tally = Tally()
    after: float = 0.0

    @property
    def cost(self) -> int:
        """Nanodollars for all attempts."""
        return sum(attempt.cost for attempt in self.attempts)

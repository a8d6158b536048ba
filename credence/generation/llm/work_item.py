"""One item on its way through the dispatcher: what was tried, what was counted, and what follows from a reply."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Literal

from credence.generation.llm.endpoint import Endpoint
from credence.generation.llm.messages import Reply, Request
from credence.generation.llm.retry import (
    CONTENT_RETRIES,
    MAX_ATTEMPTS,
    REFUSAL_RETRIES,
    ReplyAction,
    UnusableReply,
    failure_reason,
    judge_reply,
    retry_delay,
)

ItemEnd = Literal["ok", "quarantine", "later", "stopped", "spent"]


@dataclass(frozen=True)
class FailureCounts:
    """Failures counted against an item. Hand it to the next `ask` when the item comes back from the queue."""

    transport: int = 0
    content: int = 0
    refusals: int = 0
    doubled: bool = False


@dataclass(frozen=True)
class CallAttempt:
    """One call: what was sent to whom, what came back, what was decided, and its cost in nanodollars."""

    slot: str
    number: int
    request: Request
    reply: Reply
    verdict: ReplyAction
    reason: str
    cost: int
    reservation: str | None = None


@dataclass(frozen=True)
class ItemResult:
    """How an item ended.

    ok: `value` is what the reader made of `reply`, which answered `request` (its provider may be a stand-in).
    quarantine: no further attempt would help, for `failure_reason`.
    later: ask again after so many seconds, with `tally`; nothing was counted for the wait.
    stopped: no endpoint is left, for `failure_reason`. spent: the budget does not pay for a further call.
    """

    end: ItemEnd
    reason: str = ""
    attempts: tuple[CallAttempt, ...] = ()
    value: object = None
    reply: Reply | None = None
    request: Request | None = None
    tally: FailureCounts = FailureCounts()
    after: float = 0.0

    @property
    def cost(self) -> int:
        """Nanodollars for all attempts."""
        return sum(attempt.cost for attempt in self.attempts)


ReplyParser = Callable[[str], object]
# Far from the samples that a caller numbers: a bad text must not come again from a cache or from the same seed.
RESAMPLE = 1 << 20


@dataclass(frozen=True)
class JudgedReply:
    """A reply after it was read: what follows, why, and the value of its text."""

    verdict: ReplyAction
    reason: str
    value: object = None


@dataclass(eq=False)
class WorkItem:
    """A request and its history. `order`: the endpoints that may answer it, the first one first."""

    request: Request
    slot: str
    read: ReplyParser | None
    tally: FailureCounts
    order: list[Endpoint]
    attempts: list[CallAttempt] = field(default_factory=list)
    retrying: bool = False
    outcome: ItemResult | None = None
    _turn: int = 0

    def __post_init__(self) -> None:
        # An item that comes back has used up the samples of its bad texts, and keeps the room that it was given.
        used = (self.tally.content + self.tally.refusals) * RESAMPLE
        self._ask_for(max(self.request.sample, self.request.sample % RESAMPLE + used), 2 if self.tally.doubled else 1)

    def candidates(self) -> list[Endpoint]:
        """The endpoints in the order in which they should be tried now: after a failure it is the next one's turn."""
        start = self._turn % len(self.order)
        return [e for e in self.order[start:] + self.order[:start] if e.stopped is None]

    def judge(self, reply: Reply) -> JudgedReply:
        """Decide on a reply, reading its text where it has a whole one."""
        verdict = judge_reply(reply)
        if verdict is not ReplyAction.ACCEPT or self.read is None:
            return JudgedReply(verdict, failure_reason(reply), reply.text)
        try:
            return JudgedReply(verdict, "ok", self.read(reply.text or ""))
        except UnusableReply as error:
            return JudgedReply(ReplyAction.CONTENT, str(error))

    def follow(self, endpoint: Endpoint, reply: Reply, judged: JudgedReply, chance: random.Random) -> float:
        """Do what the verdict asks for. Returns the seconds to wait before the next attempt."""
        match judged.verdict:
            case ReplyAction.ACCEPT:
                self.end("ok", value=judged.value, reply=reply, request=endpoint.addressed(self.request))
            case ReplyAction.QUARANTINE:
                self.end("quarantine", judged.reason)
            case ReplyAction.STOP:
                endpoint.stop(judged.reason, reply.error_type)
            case ReplyAction.PARK:
                self._turn += 1
            case ReplyAction.RETRY:
                return self._retry(judged.reason, chance)
            case ReplyAction.CONTENT:
                self._ask_again(judged.reason, truncated=reply.kind == "truncated")
            case ReplyAction.REFUSED:
                self._refused(judged.reason)
        return 0.0

    def end(
        self,
        how: ItemEnd,
        why: str = "",
        *,
        value: object = None,
        reply: Reply | None = None,
        request: Request | None = None,
        after: float = 0.0,
    ) -> None:
        """Fix the outcome."""
        self.outcome = ItemResult(how, why, tuple(self.attempts), value, reply, request, self.tally, after)

    def _retry(self, why: str, chance: random.Random) -> float:
        self.tally = replace(self.tally, transport=self.tally.transport + 1)
        if self.tally.transport >= MAX_ATTEMPTS:
            self.end("quarantine", why)
            return 0.0
        self.retrying = True
        self._turn += 1
        return retry_delay(self.tally.transport - 1, chance)

    def _ask_again(self, why: str, *, truncated: bool) -> None:
        double = truncated and not self.tally.doubled
        self.tally = replace(self.tally, content=self.tally.content + 1, doubled=self.tally.doubled or double)
        if self.tally.content > CONTENT_RETRIES:
            self.end("quarantine", why)
            return
        self._resample(2 if double else 1)

    def _refused(self, why: str) -> None:
        self.tally = replace(self.tally, refusals=self.tally.refusals + 1)
        if self.tally.refusals > REFUSAL_RETRIES:
            self.end("quarantine", why)
            return
        self._resample(1)

    def _resample(self, room: int) -> None:
        self.retrying = False
        self._ask_for(self.request.sample + RESAMPLE, room)

    def _ask_for(self, sample: int, room: int) -> None:
        """Ask for that sample from now on, with so many times the room."""
        changed = {"sample": sample, "max_tokens": self.request.max_tokens * room}
        self.request = self.request.model_copy(update=changed)

"""State of one item in the dispatcher: its attempts, its failure counts, and its reaction to a reply."""

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
    """Failures counted for an item; pass it to the next `Dispatcher.call` if the item was deferred.

    Attributes:
        transport: Network errors, time-outs and HTTP errors.
        content: Unusable, truncated or empty texts.
        refusals: Refusals by the model.
        doubled: Whether `max_tokens` was doubled after a truncated text.
    """

    transport: int = 0
    content: int = 0
    refusals: int = 0
    doubled: bool = False


@dataclass(frozen=True)
class CallAttempt:
    """One call: its number for the item, request, reply, decision with reason, and cost in nanodollars."""

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

    Attributes:
        end: ok; quarantine (another attempt would not help); later (call again after `after` seconds with `tally`);
            stopped (no endpoint is left); spent (the budget does not pay for another call).
        reason: Why it is not ok.
        attempts: All calls.
        value: What the parser made of the reply's text.
        reply: The accepted reply.
        request: The request that it answers; its provider may be a replacement.
        tally: Failures counted so far.
        after: Seconds to wait.
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
        """Return the cost of all attempts in nanodollars."""
        return sum(attempt.cost for attempt in self.attempts)


ReplyParser = Callable[[str], object]
# Added to a sample's number after an unusable text, so that neither cache nor seed return the same text. It is far
# above the numbers that callers use.
RESAMPLE = 1 << 20


@dataclass(frozen=True)
class JudgedReply:
    """A parsed reply: what follows, why, and the value of its text."""

    verdict: ReplyAction
    reason: str
    value: object = None


@dataclass(eq=False)
class WorkItem:
    """A request and its history; `order` lists the endpoints that may answer it, by preference."""

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
        # A deferred item has used up the samples of its unusable texts, and keeps its doubled max_tokens.
        used = (self.tally.content + self.tally.refusals) * RESAMPLE
        self._ask_for(max(self.request.sample, self.request.sample % RESAMPLE + used), 2 if self.tally.doubled else 1)

    def candidates(self) -> list[Endpoint]:
        """List the endpoints that are not stopped, starting with the next one after a failure."""
        start = self._turn % len(self.order)
        return [e for e in self.order[start:] + self.order[:start] if e.stopped is None]

    def judge(self, reply: Reply) -> JudgedReply:
        """Decide on a reply; parses its text if it is complete."""
        verdict = judge_reply(reply)
        if verdict is not ReplyAction.ACCEPT or self.read is None:
            return JudgedReply(verdict, failure_reason(reply), reply.text)
        try:
            return JudgedReply(verdict, "ok", self.read(reply.text or ""))
        except UnusableReply as error:
            return JudgedReply(ReplyAction.CONTENT, str(error))

    def follow(self, endpoint: Endpoint, reply: Reply, judged: JudgedReply, chance: random.Random) -> float:
        """Apply the decision and return the seconds to wait before the next attempt."""
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
                self._count_content(judged.reason, truncated=reply.kind == "truncated")
            case ReplyAction.REFUSED:
                self._count_refusal(judged.reason)
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
        """Set the outcome; arguments as the attributes of `ItemResult`."""
        self.outcome = ItemResult(how, why, tuple(self.attempts), value, reply, request, self.tally, after)

    def _retry(self, why: str, chance: random.Random) -> float:
        self.tally = replace(self.tally, transport=self.tally.transport + 1)
        if self.tally.transport >= MAX_ATTEMPTS:
            self.end("quarantine", why)
            return 0.0
        self.retrying = True
        self._turn += 1
        return retry_delay(self.tally.transport - 1, chance)

    def _count_content(self, why: str, *, truncated: bool) -> None:
        double = truncated and not self.tally.doubled
        self.tally = replace(self.tally, content=self.tally.content + 1, doubled=self.tally.doubled or double)
        if self.tally.content > CONTENT_RETRIES:
            self.end("quarantine", why)
            return
        self._resample(2 if double else 1)

    def _count_refusal(self, why: str) -> None:
        self.tally = replace(self.tally, refusals=self.tally.refusals + 1)
        if self.tally.refusals > REFUSAL_RETRIES:
            self.end("quarantine", why)
            return
        self._resample(1)

    def _resample(self, factor: int) -> None:
        self.retrying = False
        self._ask_for(self.request.sample + RESAMPLE, factor)

    def _ask_for(self, sample: int, factor: int) -> None:
        """Set the sample's number, and multiply `max_tokens` by the factor."""
        changed = {"sample": sample, "max_tokens": self.request.max_tokens * factor}
        self.request = self.request.model_copy(update=changed)

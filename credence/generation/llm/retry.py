"""Decide what follows a reply: accept, retry, resample, give up the item, or stop the endpoint."""

import random
from collections import deque
from enum import StrEnum

from credence.generation.llm.messages import Reply
from credence.generation.llm.notifier import Clock, loop_time

MAX_ATTEMPTS = 6
CONTENT_RETRIES = 2
REFUSAL_RETRIES = 1
FIRST_DELAY_SECONDS, MAX_DELAY_SECONDS = 0.5, 30.0
MAX_SLEEP_SECONDS = 120.0
RETRY_SHARE, RETRY_FLOOR, RETRY_WINDOW = 0.2, 10, 60.0

_TRANSIENT = {408, 409, 429}
_OF_THE_ENDPOINT = {401, 402, 403, 404}
_THROTTLED = {429, 503, 529}
_UNSENT = {"ConnectError", "ConnectTimeout", "PoolTimeout", "ConnectionRefusedError"}
_SPENT = ("insufficient_quota", "quota_exceeded", "spend_limit", "spendlimit", "billing", "credit")


class UnusableReply(ValueError):
    """The text of a reply does not fit; the message is a reason of a closed set."""


class ReplyAction(StrEnum):
    """What to do after a reply.

    `PARK` retries after the pause the server asked for, `CONTENT` and `REFUSED` ask for another sample.
    """

    ACCEPT = "accept"
    RETRY = "retry"
    PARK = "park"
    CONTENT = "content"
    REFUSED = "refused"
    QUARANTINE = "quarantine"
    STOP = "stop"


def judge_reply(reply: Reply) -> ReplyAction:
    """Decide what follows a reply, before its text is parsed."""
    match reply.kind:
        case "ok":
            return ReplyAction.ACCEPT
        case "truncated" | "empty":
            return ReplyAction.CONTENT
        case "refusal":
            return ReplyAction.REFUSED
        case "network" | "deadline" | "envelope":
            return _retry_or_park(reply)
        case "http":
            return _judge_status(reply)


def _judge_status(reply: Reply) -> ReplyAction:
    status = reply.status or 200
    if _is_quota_error(reply):
        return ReplyAction.STOP
    # An error in the middle of a stream has the status 200.
    if status >= 500 or status in _TRANSIENT or status < 300:
        return _retry_or_park(reply)
    # A redirect means a wrong base_url, which fails for every item, like a wrong key or an unknown model.
    return ReplyAction.STOP if status in _OF_THE_ENDPOINT or status < 400 else ReplyAction.QUARANTINE


def _is_quota_error(reply: Reply) -> bool:
    error_type = (reply.error_type or "").lower()
    return any(word in error_type for word in _SPENT)


def _retry_or_park(reply: Reply) -> ReplyAction:
    return ReplyAction.PARK if (reply.retry_after or 0.0) > MAX_SLEEP_SECONDS else ReplyAction.RETRY


def is_endpoint_failure(reply: Reply) -> bool:
    """Return whether the circuit breaker counts this reply as a failure."""
    return reply.kind in ("network", "deadline", "envelope") or (
        reply.kind == "http" and ((reply.status or 200) >= 500 or (reply.status or 200) < 300)
    )


def is_overload(reply: Reply) -> bool:
    """Return whether this reply calls for lower concurrency."""
    return reply.kind == "deadline" or (reply.kind == "http" and reply.status in _THROTTLED)


def was_not_sent(reply: Reply) -> bool:
    """Return whether the request never reached the endpoint, so that it cost nothing."""
    return reply.kind == "network" and reply.error_type in _UNSENT


def failure_reason(reply: Reply) -> str:
    """Name what went wrong, by a word of a closed set such as http_500 or network."""
    return f"http_{reply.status}" if reply.kind == "http" and reply.status else reply.kind


def retry_delay(retries: int, chance: random.Random) -> float:
    """Draw the seconds before the next attempt: exponential backoff from 0.5 s to 30 s with full jitter.

    Retry-After is applied by the endpoint, which pauses all its calls.
    """
    return chance.uniform(0, min(MAX_DELAY_SECONDS, FIRST_DELAY_SECONDS * 2**retries))


class RetryBudget:
    """Limits retries to 20 % of an endpoint's calls in the last minute, with at least 10 allowed.

    An item deferred for this reason counts as a new call later.
    """

    def __init__(self, clock: Clock = loop_time) -> None:
        self._clock = clock
        self._calls: deque[float] = deque()
        self._retries: deque[float] = deque()

    def call(self, *, retry: bool) -> None:
        """Record a call that is sent."""
        self._calls.append(self._clock())
        if retry:
            self._retries.append(self._clock())

    def allows(self) -> bool:
        """Return whether another retry is within the budget."""
        self._drop_old()
        return len(self._retries) < max(RETRY_FLOOR, RETRY_SHARE * len(self._calls))

    def _drop_old(self) -> None:
        start = self._clock() - RETRY_WINDOW
        for log in (self._calls, self._retries):
            while log and log[0] <= start:
                log.popleft()

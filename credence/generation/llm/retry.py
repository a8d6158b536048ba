"""What follows a reply: accept it, try again, ask otherwise, give up the item, or stop the endpoint."""

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
    """The text of a reply is not what was asked for; the message says why, in a few words of a closed set."""


class ReplyAction(StrEnum):
    """What to do after a reply."""

    ACCEPT = "accept"
    RETRY = "retry"
    PARK = "park"
    CONTENT = "content"
    REFUSED = "refused"
    QUARANTINE = "quarantine"
    STOP = "stop"


def judge_reply(reply: Reply) -> ReplyAction:
    """What follows this reply, before anyone has read its text."""
    match reply.kind:
        case "ok":
            return ReplyAction.ACCEPT
        case "truncated" | "empty":
            return ReplyAction.CONTENT
        case "refusal":
            return ReplyAction.REFUSED
        case "network" | "deadline" | "envelope":
            return _again(reply)
        case "http":
            return _judge_status(reply)


def _judge_status(reply: Reply) -> ReplyAction:
    status = reply.status or 200
    if _says_spent(reply):
        return ReplyAction.STOP
    # An error in the middle of a stream has the status 200.
    if status >= 500 or status in _TRANSIENT or status < 300:
        return _again(reply)
    # A redirect is a wrong base_url: it fails for every item, as a wrong key or an unknown model does.
    return ReplyAction.STOP if status in _OF_THE_ENDPOINT or status < 400 else ReplyAction.QUARANTINE


def _says_spent(reply: Reply) -> bool:
    said = (reply.error_type or "").lower()
    return any(word in said for word in _SPENT)


def _again(reply: Reply) -> ReplyAction:
    return ReplyAction.PARK if (reply.retry_after or 0.0) > MAX_SLEEP_SECONDS else ReplyAction.RETRY


def is_endpoint_failure(reply: Reply) -> bool:
    """Whether the breaker counts this reply against the endpoint."""
    return reply.kind in ("network", "deadline", "envelope") or (
        reply.kind == "http" and ((reply.status or 200) >= 500 or (reply.status or 200) < 300)
    )


def is_overload(reply: Reply) -> bool:
    """Whether this reply asks for fewer calls at a time."""
    return reply.kind == "deadline" or (reply.kind == "http" and reply.status in _THROTTLED)


def was_not_sent(reply: Reply) -> bool:
    """Whether the request never reached the endpoint, so that it cannot have cost anything."""
    return reply.kind == "network" and reply.error_type in _UNSENT


def failure_reason(reply: Reply) -> str:
    """A word of a closed set for what went wrong."""
    return f"http_{reply.status}" if reply.kind == "http" and reply.status else reply.kind


def retry_delay(retries: int, chance: random.Random) -> float:
    """Seconds before the next attempt, by full jitter. The endpoint itself keeps the floor of Retry-After."""
    return chance.uniform(0, min(MAX_DELAY_SECONDS, FIRST_DELAY_SECONDS * 2**retries))


class RetryBudget:
    """Retries are at most a fifth of an endpoint's calls of the last minute, and ten are always allowed.

    An item that is put off for this counts as a new call when it comes back from the queue.
    """

    def __init__(self, clock: Clock = loop_time) -> None:
        self._clock = clock
        self._calls: deque[float] = deque()
        self._retries: deque[float] = deque()

    def call(self, *, retry: bool) -> None:
        """Count a call that is sent."""
        self._calls.append(self._clock())
        if retry:
            self._retries.append(self._clock())

    def allows(self) -> bool:
        """Whether one more retry is within the budget."""
        self._forget()
        return len(self._retries) < max(RETRY_FLOOR, RETRY_SHARE * len(self._calls))

    def _forget(self) -> None:
        start = self._clock() - RETRY_WINDOW
        for log in (self._calls, self._retries):
            while log and log[0] <= start:
                log.popleft()

"""What one HTTP answer says: the facts in its headers and body, whoever sent it and whatever shape it has."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from credence.generation.llm.messages import Outcome, Reply, Usage

KEPT = {"retry-after", "retry-after-ms", "x-request-id", "request-id", "content-type", "date"}
MOST_TOKENS = 1_000_000_000
LONGEST_NAME = 80
# Quotas come back within a day; who says longer is asked again after a day.
LONGEST_WAIT = 86_400.0
# A shorter key is a placeholder such as "none" or "EMPTY": no secret, and maybe a word of the answer.
SHORTEST_SECRET = 8
KEPT_BEGINNINGS = ("x-ratelimit-", "anthropic-ratelimit-")


@dataclass(frozen=True)
class Content:
    """What a body of the expected shape holds."""

    kind: Outcome
    text: str | None


@dataclass(frozen=True)
class Answer:
    """Status, headers (names in lower case) and body of one HTTP answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def without(self, secret: str | None) -> "Answer":
        """The same answer where the server repeats the key, which some do to say that it is wrong."""
        if not secret or len(secret) < SHORTEST_SECRET:
            return self
        headers = {name: value.replace(secret, "[key]") for name, value in self.headers.items()}
        return Answer(self.status, headers, self.body.replace(secret.encode(), b"[key]"))


def kept(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers worth keeping: limits, waiting times and ids; cookies and the rest are not ours to store."""
    lowered = {name.lower(): value for name, value in headers.items()}
    return {n: v for n, v in lowered.items() if n in KEPT or n.startswith(KEPT_BEGINNINGS)}


def retry_after(headers: Mapping[str, str]) -> float | None:
    """The seconds that the server asks to wait, a day at most; None where it does not say."""
    asked = _asked(headers)
    return None if asked is None else min(asked, LONGEST_WAIT)


def _asked(headers: Mapping[str, str]) -> float | None:
    """The wait in milliseconds, in seconds or until a date."""
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    wait = headers.get("retry-after")
    seconds = _number(wait)
    if seconds is not None or wait is None:
        return seconds
    then, now = _date(wait), _date(headers.get("date", "")) or datetime.now(UTC)
    return max(0.0, (then - now).total_seconds()) if then else None


def document(body: bytes) -> dict[str, Any]:
    """The JSON object that a body holds, an empty one where it holds anything else."""
    try:
        value = json.loads(body)
        json.dumps(value, ensure_ascii=False).encode()  # half of a surrogate pair cannot be stored anywhere
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def error_type(document: dict[str, Any]) -> str | None:
    """The most exact name that the server gives to what went wrong; logs show it, so it is one short line."""
    error = document.get("error")
    if not isinstance(error, dict):
        return None
    details = error.get("details")
    named = [details.get("error_code") if isinstance(details, dict) else None, error.get("code"), error.get("type")]
    said = (str(name) for name in named if isinstance(name, str | int) and name)
    return next((name[:LONGEST_NAME] for name in said if name.isprintable()), None)


def at(value: Any, *path: str | int) -> Any:
    """What lies at a path of keys and places in a JSON value; None where there is nothing."""
    for step in path:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            return None
    return value


def tokens(value: Any, *path: str) -> int | None:
    """A count of tokens; None where the server gives none that can be one."""
    count = at(value, *path)
    return count if isinstance(count, int) and not isinstance(count, bool) and 0 <= count <= MOST_TOKENS else None


def reply(answer: Answer, body: dict[str, Any], content: Content | None, usage: Usage | None, latency: float) -> Reply:
    """The Reply to an answer whose body was read as `content`; without content the body has not the expected shape."""
    read = content if 200 <= answer.status < 300 else None
    failed: Outcome = "envelope" if 200 <= answer.status < 300 else "http"
    headers, name = kept(answer.headers), body.get("id")
    return Reply(
        kind=read.kind if read else failed,
        text=read.text if read else None,
        raw=answer.body,
        usage=usage,
        headers=headers,
        status=answer.status,
        provider_id=name if isinstance(name, str) else headers.get("x-request-id") or headers.get("request-id"),
        latency=latency,
        retry_after=retry_after(headers),
        error_type=error_type(body),
    )


def _number(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return max(0.0, number) if math.isfinite(number) else None


def _date(text: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, IndexError, TypeError, OverflowError):
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)

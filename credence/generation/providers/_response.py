"""Extract a Reply from an HTTP response, for any provider and any malformed body."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from credence.generation.llm.messages import Reply, ReplyKind, Usage

KEPT = {"retry-after", "retry-after-ms", "x-request-id", "request-id", "content-type", "date"}
MAX_TOKENS = 1_000_000_000
MAX_NAME_LENGTH = 80
# Quotas reset within a day; a longer Retry-After is cut to a day.
MAX_WAIT_SECONDS = 86_400.0
# A shorter key is a placeholder such as "none" or "EMPTY": no secret, and possibly a word of the reply.
MIN_SECRET_LENGTH = 8
MIN_KEPT_PREFIX = ("x-ratelimit-", "anthropic-ratelimit-")


@dataclass(frozen=True)
class ReplyContent:
    """How a well-formed body ended, and its text."""

    kind: ReplyKind
    text: str | None


@dataclass(frozen=True)
class HttpResponse:
    """Status, headers (names in lower case) and body of one HTTP response."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def without(self, secret: str | None) -> "HttpResponse":
        """Replace the API key by [key]: some servers repeat a wrong key in their error."""
        if not secret or len(secret) < MIN_SECRET_LENGTH:
            return self
        headers = {name: value.replace(secret, "[key]") for name, value in self.headers.items()}
        return HttpResponse(self.status, headers, self.body.replace(secret.encode(), b"[key]"))


def kept_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Select the headers to store: rate limits, waiting times and ids; never cookies."""
    lowered = {name.lower(): value for name, value in headers.items()}
    return {n: v for n, v in lowered.items() if n in KEPT or n.startswith(MIN_KEPT_PREFIX)}


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the pause in seconds that the server asks for, at most a day; None if it asks for none."""
    asked = _requested_pause(headers)
    return None if asked is None else min(asked, MAX_WAIT_SECONDS)


def _requested_pause(headers: Mapping[str, str]) -> float | None:
    """Parse the pause in seconds, given in milliseconds, in seconds or as a date."""
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return milliseconds / 1000
    wait = headers.get("retry-after")
    seconds = _number(wait)
    if seconds is not None or wait is None:
        return seconds
    then, now = _date(wait), _date(headers.get("date", "")) or datetime.now(UTC)
    return max(0.0, (then - now).total_seconds()) if then else None


def parse_document(body: bytes) -> dict[str, Any]:
    """Parse a body as a JSON object; returns an empty one for anything else."""
    try:
        value = json.loads(body)
        json.dumps(value, ensure_ascii=False).encode()  # lone surrogates cannot be stored
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def error_type(document: dict[str, Any]) -> str | None:
    """Return the most specific error name of a body, at most 80 characters; None without a printable one."""
    error = document.get("error")
    if not isinstance(error, dict):
        return None
    details = error.get("details")
    named = [details.get("error_code") if isinstance(details, dict) else None, error.get("code"), error.get("type")]
    names = (str(name) for name in named if isinstance(name, str | int) and name)
    return next((name[:MAX_NAME_LENGTH] for name in names if name.isprintable()), None)


def value_at(value: Any, *path: str | int) -> Any:
    """Return the element of a JSON value at a path of keys and indices; None if there is none."""
    for step in path:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            return None
    return value


def token_count(value: Any, *path: str) -> int | None:
    """Return the number of tokens at a path; None unless it is an integer from 0 to 1e9."""
    count = value_at(value, *path)
    return count if isinstance(count, int) and not isinstance(count, bool) and 0 <= count <= MAX_TOKENS else None


def build_reply(
    answer: HttpResponse, body: dict[str, Any], content: ReplyContent | None, usage: Usage | None, latency: float
) -> Reply:
    """Build the Reply to an HTTP response.

    Args:
        answer: The response.
        body: Its body as JSON.
        content: The parsed content; None if the body does not have the expected shape.
        usage: Tokens counted by the provider, if any.
        latency: Seconds.
    """
    read = content if 200 <= answer.status < 300 else None
    failed: ReplyKind = "envelope" if 200 <= answer.status < 300 else "http"
    headers, name = kept_headers(answer.headers), body.get("id")
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

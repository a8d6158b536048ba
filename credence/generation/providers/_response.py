"""What one HTTP answer says: the facts in its headers and body, whoever sent it and whatever shape it has."""

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
# Quotas come back within a day; who says longer is asked again after a day.
MAX_WAIT_SECONDS = 86_400.0
# A shorter key is a placeholder such as "none" or "EMPTY": no secret, and maybe a word of the answer.
MIN_SECRET_LENGTH = 8
MIN_KEPT_PREFIX = ("x-ratelimit-", "anthropic-ratelimit-")


@dataclass(frozen=True)
class ReplyContent:
    """What a body of the expected shape holds."""

    kind: ReplyKind
    text: str | None


@dataclass(frozen=True)
class HttpResponse:
    """Status, headers (names in lower case) and body of one HTTP answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def without(self, secret: str | None) -> "HttpResponse":
        """The same answer where the server repeats the key, which some do to say that it is wrong."""
        if not secret or len(secret) < MIN_SECRET_LENGTH:
            return self
        headers = {name: value.replace(secret, "[key]") for name, value in self.headers.items()}
        return HttpResponse(self.status, headers, self.body.replace(secret.encode(), b"[key]"))


def kept_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers worth keeping: limits, waiting times and ids; cookies and the rest are not ours to store."""
    lowered = {name.lower(): value for name, value in headers.items()}
    return {n: v for n, v in lowered.items() if n in KEPT or n.startswith(MIN_KEPT_PREFIX)}


def retry_after(headers: Mapping[str, str]) -> float | None:
    """The seconds that the server asks to wait, a day at most; None where it does not say."""
    asked = _asked(headers)
    return None if asked is None else min(asked, MAX_WAIT_SECONDS)


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


def parse_document(body: bytes) -> dict[str, Any]:
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
    return next((name[:MAX_NAME_LENGTH] for name in said if name.isprintable()), None)


def value_at(value: Any, *path: str | int) -> Any:
    """What lies at a path of keys and places in a JSON value; None where there is nothing."""
    for step in path:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            return None
    return value


def token_count(value: Any, *path: str) -> int | None:
    """A count of tokens; None where the server gives none that can be one."""
    count = value_at(value, *path)
    return count if isinstance(count, int) and not isinstance(count, bool) and 0 <= count <= MAX_TOKENS else None


def build_reply(
    answer: HttpResponse, body: dict[str, Any], content: ReplyContent | None, usage: Usage | None, latency: float
) -> Reply:
    """The Reply to an answer whose body was read as `content`; without content the body has not the expected shape."""
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

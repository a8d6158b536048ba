"""Parse rate limits from the headers of a reply (OpenAI and Anthropic style)."""

import re
from collections.abc import Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime

from credence.core.registry import StrictModel

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION = re.compile(r"(?:[0-9]+(?:\.[0-9]+)?(?:ms|s|m|h|d))+")
_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|d)")
# A reset further away is a daily quota; the Retry-After of the next 429 then gives the pause.
MAX_HOLD_SECONDS = 60.0


class HeaderLimits(StrictModel):
    """Requests and tokens per minute (None: not given), and seconds until the used-up limit resets."""

    requests: int | None = None
    tokens: int | None = None
    hold: float = 0.0


def parse_rate_limit_headers(headers: Mapping[str, str]) -> HeaderLimits:
    """Parse headers such as x-ratelimit-limit-requests; values that cannot be parsed are ignored."""
    low = {name.lower(): value.strip() for name, value in headers.items()}
    holds = [_hold(low, what) for what in ("requests", "tokens")]
    return HeaderLimits(
        requests=_whole(_value(low, "limit", "requests")),
        tokens=_whole(_value(low, "limit", "tokens")),
        hold=min(max(holds), MAX_HOLD_SECONDS),
    )


def _value(headers: Mapping[str, str], which: str, what: str) -> str | None:
    return headers.get(f"x-ratelimit-{which}-{what}", headers.get(f"anthropic-ratelimit-{what}-{which}"))


def _whole(text: str | None) -> int | None:
    # Some gateways send 0 for an unknown limit.
    return int(text) if text and re.fullmatch(r"[0-9]{1,12}", text) and int(text) else None


def _hold(headers: Mapping[str, str], what: str) -> float:
    if _value(headers, "remaining", what) != "0":
        return 0.0
    return _seconds(_value(headers, "reset", what) or "", headers.get("date"))


def _seconds(reset: str, date: str | None) -> float:
    """Return the seconds until a reset, given as a duration ("6m0s"), in seconds, or as a time."""
    if _DURATION.fullmatch(reset):
        return sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(reset))
    if re.fullmatch(r"[0-9]{1,5}(\.[0-9]+)?", reset):
        return float(reset)
    try:
        return max(0.0, (datetime.fromisoformat(reset) - parsedate_to_datetime(date or "")).total_seconds())
    except (ValueError, TypeError, OverflowError):
        return 0.0

"""Parse and format times (2024-01-31) and durations (90s, 10m, 1h, 7d)."""

import re
from datetime import UTC, datetime

from credence.core.errors import InputError


def parse_timestamp(text: str | None) -> datetime | None:
    """Parse an ISO 8601 date or time, such as 2024-01-31T12:00, in UTC unless it has an offset; None stays None.

    Raises:
        InputError: The text is not a date or time.
    """
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise InputError(
            f"{text!r} is not a date or time; expected one such as 2024-01-31 or 2024-01-31T12:00."
        ) from None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found


UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def parse_duration(span: str) -> float:
    """Parse a duration such as 1h or 1h30m into seconds; units are s, m, h, d and w.

    Raises:
        InputError: The text is not a duration, or is zero.
    """
    found = re.findall(r"(\d+(?:\.\d+)?)([smhdw])", span)
    total = sum(float(amount) * UNITS[unit] for amount, unit in found)
    if "".join(a + u for a, u in found) != span or total <= 0:
        raise InputError(f"{span!r} is not a duration; expected one such as 90s, 10m, 1h or 7d.")
    return total


def format_duration(span: float) -> str:
    """Format seconds, rounded to whole ones, as a short duration: 5400 is 1h30m."""
    parts, left = "", round(span)
    for unit, size in reversed(UNITS.items()):
        amount, left = divmod(left, size)
        parts += f"{amount}{unit}" if amount else ""
    return parts or "0s"

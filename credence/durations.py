"""Spans of time as people write them: 90s, 10m, 1h, 7d."""

import re

from credence.errors import BadInput

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def seconds(span: str) -> float:
    """The seconds of a span such as 1h or 1h30m. Raises BadInput for anything else, and for nothing at all."""
    found = re.findall(r"(\d+(?:\.\d+)?)([smhdw])", span)
    total = sum(float(amount) * UNITS[unit] for amount, unit in found)
    if "".join(a + u for a, u in found) != span or total <= 0:
        raise BadInput(f"{span!r} is no span of time; expected one such as 90s, 10m, 1h or 7d.")
    return total


def spoken(span: float) -> str:
    """Seconds as a short span: 5400 is 1h30m."""
    parts, left = "", round(span)
    for unit, size in reversed(UNITS.items()):
        amount, left = divmod(left, size)
        parts += f"{amount}{unit}" if amount else ""
    return parts or "0s"

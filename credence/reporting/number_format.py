"""Number formats for people: three significant digits, thousands separators, intervals in brackets."""

import math

import pandas as pd

ABSENT = "–"


def format_number(x: float | None, digits: int = 3) -> str:
    """Format with significant digits: 12345.6 -> 12,346; 0.98123 -> 0.981; 0.00001234 -> 1.23e-05; None -> –."""
    if x is None or math.isnan(x):
        return ABSENT
    if math.isinf(x):
        return "∞" if x > 0 else "−∞"
    if x == 0 or isinstance(x, int):
        return f"{x:,}".removesuffix(".0").replace("-", "−")
    if abs(x) < 1e-4:
        return f"{x:.{digits - 1}e}".replace("-", "−")
    places = digits - 1 - math.floor(math.log10(abs(float(f"{x:.{digits - 1}e}"))))
    return f"{x:,.{max(places, 0)}f}".replace("-", "−")


def format_percent(x: float | None, digits: int = 3) -> str:
    """Format a share as a percentage: 0.98123 -> 98.1 %."""
    return ABSENT if x is None or math.isnan(x) else f"{format_number(100 * x, digits)} %"


def format_interval(value: float | None, low: float | None, high: float | None, between: str = " to ") -> str:
    """The ends of an interval, with as many decimal places as its value: 0.950 to 0.996."""
    if value is None or low is None or high is None:
        return ABSENT
    text = format_number(value)
    if value == 0 or "e" in text:
        return f"{format_number(low)}{between}{format_number(high)}"
    places = len(text.partition(".")[2])
    return f"{low:,.{places}f}{between}{high:,.{places}f}".replace("-", "−")


def format_spread(value: float | None, low: float | None, high: float | None) -> str:
    """A value with its interval: 0.981 (0.950–0.996)."""
    ends = format_interval(value, low, high, "–")
    return format_number(value) if ends == ABSENT else f"{format_number(value)} ({ends})"


def plural(n: int, one: str, many: str | None = None) -> str:
    """A count with its noun: 1 row, 2 rows, 12,345 rows."""
    return f"{n:,} {one if n == 1 else many or one + 's'}"


def align_columns(table: pd.DataFrame) -> str:
    """A table as plain text: the first column aligned left, all others right."""
    cells = [list(map(str, table.columns)), *table.astype(str).values.tolist()]
    widths = [max(len(row[i]) for row in cells) for i in range(len(table.columns))]
    return "\n".join(
        "  ".join(c.ljust(w) if i == 0 else c.rjust(w) for i, (c, w) in enumerate(zip(row, widths, strict=True)))
        for row in cells
    )

"""Numbers as people read them: three significant digits, thousands separators, intervals in brackets."""

import math

import pandas as pd

ABSENT = "–"


def number(x: float | None, digits: int = 3) -> str:
    """12345.6 -> 12,346; 0.98123 -> 0.981; 0.00001234 -> 1.23e-05; nothing for what is not defined."""
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


def percent(x: float | None, digits: int = 3) -> str:
    """0.98123 -> 98.1 %."""
    return ABSENT if x is None or math.isnan(x) else f"{number(100 * x, digits)} %"


def span(value: float | None, low: float | None, high: float | None, between: str = " to ") -> str:
    """The ends of an interval to the decimal places of its value: 0.950 to 0.996."""
    if value is None or low is None or high is None:
        return ABSENT
    text = number(value)
    if value == 0 or "e" in text:
        return f"{number(low)}{between}{number(high)}"
    places = len(text.partition(".")[2])
    return f"{low:,.{places}f}{between}{high:,.{places}f}".replace("-", "−")


def spread(value: float | None, low: float | None, high: float | None) -> str:
    """A value with its interval: 0.981 (0.950–0.996)."""
    ends = span(value, low, high, "–")
    return number(value) if ends == ABSENT else f"{number(value)} ({ends})"


def plural(n: int, one: str, many: str | None = None) -> str:
    """1 row, 2 rows, 12,345 rows."""
    return f"{n:,} {one if n == 1 else many or one + 's'}"


def aligned(table: pd.DataFrame) -> str:
    """A table in plain text: words to the left, figures to the right."""
    cells = [list(map(str, table.columns)), *table.astype(str).values.tolist()]
    widths = [max(len(row[i]) for row in cells) for i in range(len(table.columns))]
    return "\n".join(
        "  ".join(c.ljust(w) if i == 0 else c.rjust(w) for i, (c, w) in enumerate(zip(row, widths, strict=True)))
        for row in cells
    )

"""Whether a table's first row names its columns or is data already."""

import re
from collections import Counter

from credence.data.parsing.dates import DATE
from credence.data.schema import MISSING

SAMPLE = 2000
NAME = re.compile(r"[^\W\d][\w .:/()%#&'+-]{0,59}")


def has_header(rows: list[list[str]]) -> bool:
    """Every column votes on its first cell; a tie means header, as in most files."""
    if len(rows) < 2 or _counts_up(rows[0]):
        return True
    columns = list(zip(*rows[: SAMPLE + 1], strict=True))
    return sum(_vote(column[0], [v for v in column[1:] if v.lower() not in MISSING]) for column in columns) >= 0


def _vote(first: str, body: list[str]) -> int:
    """1 where the first cell names the column, -1 where it is one of its values, 0 where it could be either."""
    if not body or first == "":
        return 0
    for looks in (_is_number, _is_date):
        if all(map(looks, body)):
            return -1 if looks(first) or first.lower() in MISSING else 1
    counts = Counter(body)
    if first in counts or first.lower() in MISSING:
        return -1
    if _is_number(first):
        return 0
    return int(_is_closed(counts, len(body)) or _is_too_short(first, body))


def _is_closed(counts: Counter[str], n: int) -> bool:
    """Few values that keep coming back: one more, seen once, would be a surprise."""
    return n >= 10 and len(counts) <= n / 5 and list(counts.values()).count(1) <= 0.02 * n


def _is_too_short(first: str, body: list[str]) -> bool:
    """A name above a column of sentences."""
    lengths = sorted(map(len, body))
    return lengths[len(lengths) // 2] >= 30 and len(first) < lengths[len(lengths) // 20] and bool(NAME.fullmatch(first))


def _counts_up(cells: list[str]) -> bool:
    """Names that are numbers: 0, 1, 2, … as pandas writes them, or years."""
    numbers = [int(c) for c in cells if c.isdecimal()]
    consecutive = numbers == list(range(numbers[0], numbers[0] + len(numbers))) if numbers else False
    return consecutive and len(numbers) >= 4 and (numbers[0] in (0, 1) or 1900 <= numbers[0] <= numbers[-1] <= 2100)


def _is_number(cell: str) -> bool:
    try:
        float(cell.replace(",", ".") if cell.count(",") == 1 else cell)
    except ValueError:
        return False
    return True


def _is_date(cell: str) -> bool:
    return DATE.fullmatch(cell) is not None

"""Detect whether the first row of a table is a header."""

import re
from collections import Counter

from credence.data.parsing.dates import DATE
from credence.data.parsing.numbers import is_float
from credence.data.schema import MISSING

SAMPLE = 2000
NAME = re.compile(r"[^\W\d][\w .:/()%#&'+-]{0,59}")


def has_header(rows: list[list[str]]) -> bool:
    """Return whether the first row is a header, by a vote of the columns; a tie counts as yes."""
    if len(rows) < 2 or _are_consecutive(rows[0]):
        return True
    columns = list(zip(*rows[: SAMPLE + 1], strict=True))
    return sum(_vote(column[0], [v for v in column[1:] if v.lower() not in MISSING]) for column in columns) >= 0


def _vote(first: str, body: list[str]) -> int:
    """Return 1 if the first cell is a name, -1 if it is a value, 0 if it could be either."""
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
    """Return whether a column has few values that repeat, so that another value is unlikely."""
    return n >= 10 and len(counts) <= n / 5 and list(counts.values()).count(1) <= 0.02 * n


def _is_too_short(first: str, body: list[str]) -> bool:
    """Return whether the first cell is much shorter than the sentences below it."""
    lengths = sorted(map(len, body))
    return lengths[len(lengths) // 2] >= 30 and len(first) < lengths[len(lengths) // 20] and bool(NAME.fullmatch(first))


def _are_consecutive(cells: list[str]) -> bool:
    """Return whether the cells are column names such as 0, 1, 2, … (as pandas writes them), or years."""
    numbers = [int(c) for c in cells if c.isdecimal()]
    consecutive = numbers == list(range(numbers[0], numbers[0] + len(numbers))) if numbers else False
    return consecutive and len(numbers) >= 4 and (numbers[0] in (0, 1) or 1900 <= numbers[0] <= numbers[-1] <= 2100)


def _is_number(cell: str) -> bool:
    return is_float(cell.replace(",", ".") if cell.count(",") == 1 else cell)


def _is_date(cell: str) -> bool:
    return DATE.fullmatch(cell) is not None

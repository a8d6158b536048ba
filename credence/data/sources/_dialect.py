"""How a text file spells a table: what separates the cells and what quotes them."""

import csv
import io
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from credence.core.registry import StrictModel

DELIMITERS = (",", ";", "\t", "|", " ")
QUOTES = ('"', "'", "")
SAMPLE_CHARACTERS = 200_000
RECTANGULAR = 0.5
FALLBACK_DIALECT = 0.3
DECIMAL_COMMA = re.compile(r"[-+]?\d+,\d+")


class Dialect(StrictModel):
    """A delimiter (a blank stands for any run of blanks), a quote character (empty: none), and whether \\ escapes."""

    delimiter: str
    quote: str
    escape: bool = False

    def rows(self, text: str, strict: bool = True) -> Iterator[tuple[int, list[str]]]:
        """Every row with the number of its last line, cells stripped of blanks; blank lines are left out.

        With `strict`, raises csv.Error where a quoted cell goes on behind its closing quote or never closes.
        """
        reader = self.reader(io.StringIO(text, newline=""), strict)
        for cells in reader:
            if stripped := [cell.strip() for cell in cells]:
                yield reader.line_num, stripped

    def reader(self, lines: Iterable[str], strict: bool = True) -> Any:
        """The standard library's reader of lines that are spelled so."""
        csv.field_size_limit(sys.maxsize)
        if self.delimiter == " ":
            lines = (re.sub(r"[ \t]+", " ", line).strip() + "\n" for line in lines)
        return csv.reader(
            lines,
            delimiter=self.delimiter,
            quotechar=self.quote or None,
            strict=strict,
            quoting=csv.QUOTE_MINIMAL if self.quote else csv.QUOTE_NONE,
            skipinitialspace=True,
            escapechar="\\" if self.escape else None,
        )


def detect_dialects(text: str, delimiter: str | None = None, quote: str | None = None) -> list[Dialect]:
    """The likely dialects of a text, best first, all with the best one's delimiter."""
    sample = text if len(text) <= SAMPLE_CHARACTERS else text[: text.rfind("\n", 0, SAMPLE_CHARACTERS) + 1] or text
    tried = [
        Dialect(delimiter=d, quote=q, escape=escape)
        for d in ([delimiter] if delimiter else [d for d in DELIMITERS if d in sample])
        for q in ([quote] if quote is not None else [q for q in QUOTES if not q or q in sample])
        for escape in ((False, True) if q and f"\\{q}" in sample else (False,))
    ]
    scores = {dialect: _score(dialect, sample) for dialect in tried}
    ranked = sorted(tried, key=lambda d: -scores[d])
    if not ranked or (scores[ranked[0]] == 0 and delimiter is None):
        return [Dialect(delimiter=",", quote='"' if quote is None else quote), Dialect(delimiter="\0", quote="")]
    return [d for d in ranked if d.delimiter == ranked[0].delimiter]


def _score(dialect: Dialect, sample: str) -> float:
    """Between 0 and 1: rows of one width, whole cells, quotes that close; 0 for one column or mostly ragged."""
    rows, broken = _sampled(dialect, sample)
    width, times = Counter(map(len, rows)).most_common(1)[0] if rows else (1, 0)
    needed = 1 if dialect.delimiter == " " else RECTANGULAR  # else sentences of two words would be a table
    if width == 1 or times < needed * len(rows):
        return 0.0
    cells = [cell for row in rows for cell in row]
    whole = sum(_is_whole(cell, dialect.delimiter) for cell in cells) / len(cells)
    doubt = (0.9 if broken else 1.0) * (FALLBACK_DIALECT if dialect.delimiter == " " else 1.0)
    return doubt * (times / len(rows)) ** 2 * (0.5 + 0.5 * whole) * (1 - 1 / width)


def _sampled(dialect: Dialect, sample: str) -> tuple[list[list[str]], bool]:
    """The rows of a sample, and whether its quotes are broken; the last row may be cut off, which breaks nothing."""
    rows = []
    try:
        for _, row in dialect.rows(sample):
            rows.append(row)
    except csv.Error as error:
        if "unexpected end" not in str(error):
            return [row for _, row in dialect.rows(sample, strict=False)], True
    return rows, False


def _is_whole(cell: str, delimiter: str) -> bool:
    """Whether a cell looks like one value: no delimiter of another kind in it, no quote at its edge."""
    if cell and (cell[0] in "\"'" or cell[-1] in "\"'"):
        return False
    if DECIMAL_COMMA.fullmatch(cell):
        return True
    return not any(d in cell for d in DELIMITERS[:4] if d != delimiter)


class Layout(StrictModel):
    """How cells are spelled, what the columns are called, and where the data begins."""

    dialect: Dialect
    names: list[str]
    first_line: int
    declared: bool
    skipped: int

    def columns(self) -> list[str]:
        """A name for every column; nameless ones are counted."""
        return [name or f"unnamed_{i + 1}" for i, name in enumerate(self.names)]

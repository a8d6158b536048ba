"""Detect the dialect of a CSV file: delimiter, quote character and escapes."""

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
MIN_RECTANGULAR_SHARE = 0.5  # share of rows with the most frequent width
BLANKS_FACTOR = 0.3  # score factor, because blanks also separate words
DECIMAL_COMMA = re.compile(r"[-+]?\d+,\d+")


class Dialect(StrictModel):
    """A CSV dialect.

    A blank as `delimiter` means any run of blanks and tabs. An empty `quote` means no quoting. With `escape`, a
    backslash escapes the next character.
    """

    delimiter: str
    quote: str
    escape: bool = False

    def rows(self, text: str, strict: bool = True) -> Iterator[tuple[int, list[str]]]:
        """Yield every row that is not blank, with the number of its last line and its cells stripped.

        Args:
            text: The whole text.
            strict: Whether to check quotes.

        Raises:
            csv.Error: With `strict`: a quote never closes, or text follows a closing quote.
        """
        reader = self.reader(io.StringIO(text, newline=""), strict)
        for cells in reader:
            if stripped := [cell.strip() for cell in cells]:
                yield reader.line_num, stripped

    def reader(self, lines: Iterable[str], strict: bool = True) -> Any:
        """Return a `csv.reader` of lines in this dialect."""
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
    """Return the likely dialects of a text, best first, all with the delimiter of the best one.

    Args:
        text: The text; its first 200,000 characters count.
        delimiter: The delimiter, if it is known.
        quote: The quote character, if it is known.
    """
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
    """Score a dialect from 0 to 1 by rows of equal width, cells that are single values, and closed quotes."""
    rows, broken = _sampled(dialect, sample)
    width, times = Counter(map(len, rows)).most_common(1)[0] if rows else (1, 0)
    # Without this, sentences of two words would be a table.
    needed = 1 if dialect.delimiter == " " else MIN_RECTANGULAR_SHARE
    if width == 1 or times < needed * len(rows):
        return 0.0
    cells = [cell for row in rows for cell in row]
    whole = sum(_is_whole(cell, dialect.delimiter) for cell in cells) / len(cells)
    factor = (0.9 if broken else 1.0) * (BLANKS_FACTOR if dialect.delimiter == " " else 1.0)
    return factor * (times / len(rows)) ** 2 * (0.5 + 0.5 * whole) * (1 - 1 / width)


def _sampled(dialect: Dialect, sample: str) -> tuple[list[list[str]], bool]:
    """Return the rows of a sample, and whether its quotes are broken; the last row may be cut off."""
    rows = []
    try:
        for _, row in dialect.rows(sample):
            rows.append(row)
    except csv.Error as error:
        if "unexpected end" not in str(error):
            return [row for _, row in dialect.rows(sample, strict=False)], True
    return rows, False


def _is_whole(cell: str, delimiter: str) -> bool:
    """Return whether a cell looks like one value: it has no other delimiter and no quote at its ends."""
    if cell and (cell[0] in "\"'" or cell[-1] in "\"'"):
        return False
    if DECIMAL_COMMA.fullmatch(cell):
        return True
    return not any(d in cell for d in DELIMITERS[:4] if d != delimiter)


class Layout(StrictModel):
    """The layout of a CSV file.

    Attributes:
        dialect: Delimiter and quote character.
        names: Column names, empty for nameless columns.
        first_line: Number of the line where the table starts, from 1.
        declared: Whether the file starts with a line such as `sep=;`.
        skipped: Number of rows before the data: comments and the header.
    """

    dialect: Dialect
    names: list[str]
    first_line: int
    declared: bool
    skipped: int

    def columns(self) -> list[str]:
        """Return the column names; nameless ones become unnamed_1, unnamed_2, ..."""
        return [name or f"unnamed_{i + 1}" for i, name in enumerate(self.names)]

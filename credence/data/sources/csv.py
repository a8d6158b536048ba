"""CSV and similar text files, also gzipped; dialect, encoding and header are detected unless given."""

import csv
import re
from collections import Counter
from collections.abc import Sequence

import pandas as pd
from pydantic import Field

from credence.core.errors import InputError
from credence.data.parsing.numbers import BOOLEAN_WORDS, EXACT, ZERO_FIRST, dot_is_thousands_separator
from credence.data.sources._dialect import Dialect, Layout, detect_dialects
from credence.data.sources._files import FileSource, read_text
from credence.data.sources._header import has_header

CsvRow = tuple[int, list[str]]
ParsedTable = tuple[int, list[CsvRow]]
MAX_OPEN_LINES = 10_000  # lines of a last, unclosed quoted cell in the head of a file
SEPARATOR_LINE = re.compile(r'\A"?sep=(.)"?\r?\n', re.IGNORECASE)
COMMENT = ("#", "%", "|")
DECIMAL_COMMA = re.compile(r"[-+]?\d+(,\d+)?")
THOUSANDS = re.compile(r"[-+]?\d+(,\d{3})?")


class Csv(FileSource):
    """A CSV file. Cell types are inferred as by pandas, but only empty cells are missing, and 00123 stays text.

    `delimiter`, `encoding`, `quote` ("" for none) and `header` are detected by default.
    """

    delimiter: str | None = Field(None, min_length=1, max_length=1)
    encoding: str | None = None
    quote: str | None = Field(None, max_length=1)
    header: bool | None = None

    def read(self) -> pd.DataFrame:
        """Read the table, without columns that have neither a name nor a value.

        Raises:
            InputError: The file does not exist, is empty or ragged, repeats a column name or has broken quotes.
        """
        layout, rows = self.layout(read_text(self.path, self.encoding))
        columns = list(zip(*(cells for _, cells in rows), strict=True))
        kept = {i: name for i, name in enumerate(layout.columns()) if layout.names[i] or any(columns[i])}
        return pd.DataFrame({name: infer_cell_types(columns[i], layout.dialect) for i, name in kept.items()})

    def layout(self, text: str, cut: bool = False) -> tuple[Layout, list[CsvRow]]:
        """Detect the layout of a text.

        Args:
            text: The text of the file.
            cut: Whether the text is only the head of the file, so that its last row may be incomplete.

        Returns:
            The layout, and the rows of data, each with the number of its last line.

        Raises:
            InputError: The text is not a table; see `read`.
        """
        declared = SEPARATOR_LINE.match(text)
        delimiter = self.delimiter or (declared[1] if declared else None)
        text = text[declared.end() :] if declared else text
        dialect, (above, rows) = self._rows(text, delimiter, cut)
        named = has_header([cells for _, cells in rows]) if self.header is None else self.header
        names = rows[0][1] if named else [f"column_{i + 1}" for i in range(len(rows[0][1]))]
        if len(rows) == named:
            raise InputError(f"{self.path} has a header but no rows.")
        self._refuse_duplicates(names)
        layout = Layout(
            dialect=dialect,
            names=names,
            first_line=rows[0][0],
            declared=bool(declared),
            skipped=above + named,
        )
        return layout, rows[named:]

    def _rows(self, text: str, delimiter: str | None, cut: bool) -> tuple[Dialect, ParsedTable]:
        """Parse with the first dialect that fits the whole text; otherwise raise the first one's error."""
        errors = []
        for dialect in detect_dialects(text, delimiter, self.quote):
            try:
                return dialect, self._rectangle(_parsed(dialect, text, cut))
            except (InputError, csv.Error) as error:
                errors.append(error)
        if isinstance(errors[0], InputError):
            raise errors[0]
        raise InputError(
            f"{self.path}: quotes do not pair up ({errors[0]}); fix them, or set source.quote ('' for none)."
        )

    def _rectangle(self, rows: list[CsvRow]) -> ParsedTable:
        """Return the number of comment lines above the table, and its rows, cut to the header's width."""
        width = Counter(len(cells) for _, cells in rows[1:] or rows).most_common(1)[0][0] if rows else 0
        above = 0
        while len(rows) - above > 1 and len(rows[above][1]) != width and rows[above][1][0].startswith(COMMENT):
            above += 1
        rows = rows[above:]
        if not rows:
            raise InputError(f"{self.path} holds no rows; expected a table.")
        names = len(rows[0][1])
        if 1 < names == width - 1 and all(cells[-1] for _, cells in rows[1:]):
            return above, self._checked_width([(rows[0][0], ["", *rows[0][1]]), *rows[1:]], width)
        return above, self._checked_width(rows, names)

    def _checked_width(self, rows: list[CsvRow], width: int) -> list[CsvRow]:
        for line, cells in rows:
            if is_ragged(cells, width):
                raise InputError(
                    f"{self.path}, line {line}: {len(cells)} cells where line {rows[0][0]} has {width}; "
                    "fix that line, or set source.delimiter and source.quote if they were detected wrongly."
                )
        return [(line, cells[:width]) for line, cells in rows]

    def _refuse_duplicates(self, names: list[str]) -> None:
        for name, times in Counter(filter(None, names)).items():
            if times > 1:
                raise InputError(
                    f"{self.path}: column {name!r} is in the header twice; give every column its own name, "
                    "or set source.header=false if the first line is data."
                )


def _parsed(dialect: Dialect, text: str, cut: bool) -> list[CsvRow]:
    """Parse all rows; if the text is cut off, ignore a last row whose quote is still open."""
    rows = []
    try:
        for row in dialect.rows(text):
            rows.append(row)
    except csv.Error as error:
        swallowed = text.count("\n") - (rows[-1][0] if rows else 0)
        if not cut or "unexpected end" not in str(error) or swallowed > MAX_OPEN_LINES:
            raise
    return rows


def is_ragged(cells: list[str], width: int) -> bool:
    """Return whether a row is shorter than the table's width, or has values beyond it."""
    return len(cells) < width or any(cells[width:])


def infer_cell_types(cells: Sequence[str], dialect: Dialect) -> pd.Series:
    """Convert the cells of a column to int64, float64, bool or strings; empty cells become None or NaN.

    Args:
        cells: The cells, stripped.
        dialect: Decimal commas count only if the comma is not the delimiter.
    """
    words = pd.Series(cells, dtype=object).where(lambda s: s != "", None)
    there = words.dropna()
    if not len(there):
        return words
    if {word.lower() for word in there.unique()} <= set(BOOLEAN_WORDS):
        flags = words.map(lambda w: w if w is None else BOOLEAN_WORDS[w.lower()])
        return flags.astype(bool) if flags.notna().all() else flags
    if dialect.delimiter != "," and _has_decimal_commas(there):
        return words.map(lambda w: w if w is None else float(w.replace(",", "."))).astype("float64")
    return _to_numbers(words, there)


def _has_decimal_commas(words: pd.Series) -> bool:
    """Return whether all words are numbers, and some have a comma that cannot separate thousands."""
    return bool(words.str.fullmatch(DECIMAL_COMMA).all()) and not bool(words.str.fullmatch(THOUSANDS).all())


def _to_numbers(words: pd.Series, there: pd.Series) -> pd.Series:
    """Convert to numbers, unless a word is not a number or would lose leading zeros or digits."""
    found = pd.to_numeric(there, errors="coerce")
    if found.isna().any() or there.str.match(ZERO_FIRST).any() or dot_is_thousands_separator(there):
        return words
    gaps = len(there) < len(words)
    if pd.api.types.is_integer_dtype(found):
        return found if not gaps else words if (found.abs() >= EXACT).any() else found.reindex(words.index)
    large = there[found.abs() >= EXACT]
    return words if large.str.fullmatch(r"[-+]?\d+").any() else found.astype("float64").reindex(words.index)

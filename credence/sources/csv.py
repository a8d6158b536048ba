"""A table in a text file (CSV and its relatives, also gzipped); what is not said about its spelling is found out."""

import csv
import re
from collections import Counter

import pandas as pd
from pydantic import Field

from credence.errors import BadInput
from credence.numerals import EXACT, ZERO_FIRST, dots_set_off_thousands
from credence.sources._dialect import Dialect, dialects
from credence.sources._files import FileSource, text_of
from credence.sources._header import has_header

Row = tuple[int, list[str]]
SEPARATOR_LINE = re.compile(r'\A"?sep=(.)"?\r?\n', re.IGNORECASE)
COMMENT = ("#", "%", "|")
DECIMAL_COMMA = re.compile(r"[-+]?\d+(,\d+)?")
THOUSANDS = re.compile(r"[-+]?\d+(,\d{3})?")
BOOLEANS = {"true": True, "false": False}


class Csv(FileSource):
    """Cells are read as pandas would, but only an empty cell is missing, and 00123 stays the word it is."""

    delimiter: str | None = Field(None, min_length=1, max_length=1)
    encoding: str | None = None
    quote: str | None = Field(None, max_length=1)
    header: bool | None = None

    def read(self) -> pd.DataFrame:
        text, delimiter = text_of(self.path, self.encoding), self.delimiter
        if declared := SEPARATOR_LINE.match(text):
            text, delimiter = text[declared.end() :], delimiter or declared[1]
        dialect, rows = self._rows(text, delimiter)
        named = has_header([cells for _, cells in rows]) if self.header is None else self.header
        names, rows = (rows[0][1], rows[1:]) if named else ([f"column_{i + 1}" for i in range(len(rows[0][1]))], rows)
        if not rows:
            raise BadInput(f"{self.path} has a header but no rows.")
        return self._table(names, rows, dialect)

    def _rows(self, text: str, delimiter: str | None) -> tuple[Dialect, list[Row]]:
        """The rows in the likeliest dialect that reads the whole text; where none does, the likeliest one's error."""
        errors = []
        for dialect in dialects(text, delimiter, self.quote):
            try:
                return dialect, self._rectangle(list(dialect.rows(text)))
            except (BadInput, csv.Error) as error:
                errors.append(error)
        if isinstance(errors[0], BadInput):
            raise errors[0]
        raise BadInput(
            f"{self.path}: quotes do not pair up ({errors[0]}); mend them, or set source.quote ('' for none)."
        )

    def _rectangle(self, rows: list[Row]) -> list[Row]:
        """Rows of one width, without comment lines above the table and blank cells beyond its width."""
        width = Counter(len(cells) for _, cells in rows[1:] or rows).most_common(1)[0][0] if rows else 0
        while len(rows) > 1 and len(rows[0][1]) != width and rows[0][1][0].startswith(COMMENT):
            rows = rows[1:]
        if not rows:
            raise BadInput(f"{self.path} holds no rows; expected a table.")
        names = len(rows[0][1])
        if 1 < names == width - 1 and all(cells[-1] for _, cells in rows[1:]):
            return self._even([(rows[0][0], ["", *rows[0][1]]), *rows[1:]], width)
        return self._even(rows, names)

    def _even(self, rows: list[Row], width: int) -> list[Row]:
        for line, cells in rows:
            if len(cells) < width or any(cells[width:]):
                raise BadInput(
                    f"{self.path}, line {line}: {len(cells)} cells where line {rows[0][0]} has {width}; "
                    "mend that line, or name source.delimiter and source.quote if they were found out wrongly."
                )
        return [(line, cells[:width]) for line, cells in rows]

    def _table(self, names: list[str], rows: list[Row], dialect: Dialect) -> pd.DataFrame:
        columns = list(zip(*(cells for _, cells in rows), strict=True))
        kept = {i: name or f"unnamed_{i + 1}" for i, name in enumerate(names) if name or any(columns[i])}
        for name, times in Counter(kept.values()).items():
            if times > 1:
                raise BadInput(
                    f"{self.path}: column {name!r} stands twice in the header; give every column its own name, "
                    "or set source.header=false if the first line is data."
                )
        return pd.DataFrame({name: _typed(columns[i], dialect) for i, name in kept.items()})


def _typed(cells: tuple[str, ...], dialect: Dialect) -> pd.Series:
    """Cells as int64, float64, bool or object strings; None (or NaN) only where a cell is empty."""
    words = pd.Series(cells, dtype=object).where(lambda s: s != "", None)
    there = words.dropna()
    if not len(there):
        return words
    if {word.lower() for word in there.unique()} <= set(BOOLEANS):
        return _inferred(words.map(lambda w: w if w is None else BOOLEANS[w.lower()]))
    if dialect.delimiter != "," and _has_decimal_commas(there):
        return words.map(lambda w: w if w is None else float(w.replace(",", "."))).astype("float64")
    return _number(words, there)


def _inferred(values: pd.Series) -> pd.Series:
    return values.astype(bool) if values.notna().all() else values


def _has_decimal_commas(words: pd.Series) -> bool:
    """All numbers, some with a comma that does not merely set off thousands."""
    return bool(words.str.fullmatch(DECIMAL_COMMA).all()) and not bool(words.str.fullmatch(THOUSANDS).all())


def _number(words: pd.Series, there: pd.Series) -> pd.Series:
    """Numbers where every cell reads as one and none would lose its spelling or its last digits."""
    found = pd.to_numeric(there, errors="coerce")
    if found.isna().any() or there.str.match(ZERO_FIRST).any() or dots_set_off_thousands(there):
        return words
    gaps = len(there) < len(words)
    if pd.api.types.is_integer_dtype(found):
        return found if not gaps else words if (found.abs() >= EXACT).any() else found.reindex(words.index)
    large = there[found.abs() >= EXACT]
    return words if large.str.fullmatch(r"[-+]?\d+").any() else found.astype("float64").reindex(words.index)

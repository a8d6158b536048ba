"""Read CSV in chunks: split into records in one process, parse in the workers."""

import csv
from collections.abc import Iterator
from itertools import chain, islice
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as pc
from numpy.typing import NDArray
from typing_extensions import override

from credence.core.errors import InputError
from credence.data.sources._dialect import Dialect
from credence.data.sources._files import detect_encoding, is_gzip, read_lines, require_path
from credence.data.sources.csv import Csv, CsvRow, is_ragged
from credence.production.batch.reader import BatchReader, Chunk, RejectedRows, chunked, file_identity

HEAD_CHARACTERS = 4_000_000
MAX_CELL_CHARACTERS = 16_000_000

CsvRecord = tuple[str, int]


class CsvReader(BatchReader):
    """Reads every cell as text, None if it is empty; `RowValidator` converts the text."""

    cells = True

    def __init__(self, source: Csv) -> None:
        self.name, self.path = str(source.path), require_path(source.path)
        self.encoding = detect_encoding(self.path, source.encoding)
        text, self.is_cut = self._text()
        if not text.strip():
            raise InputError(f"{self.path} is empty; expected a table.")
        self.layout, rows = source.layout(text, cut=self.is_cut)
        self._head = self._table(rows, 0)
        self._rate = len(text) / max(len(rows), 1)

    @override
    def fingerprint(self) -> dict[str, Any]:
        return file_identity(self.path)

    @override
    def head(self) -> pd.DataFrame:
        return self._head

    @override
    def expected(self) -> int | None:
        """Estimate from the sizes of the file and of its first rows; unknown for a compressed file."""
        if not self.is_cut:
            return len(self._head)
        return None if is_gzip(self.path) else int(self.path.stat().st_size / self._rate)

    @override
    def pieces(self, rows: int) -> Iterator[Chunk]:
        lines = islice(read_lines(self.path, self.encoding), int(self.layout.declared), None)
        found = csv_records(lines, self.layout.dialect, self.name)
        line = 1 + sum(lines for _, lines in islice(found, self.layout.skipped))
        for number, group in enumerate(chunked(found, rows)):
            yield Chunk(number * rows, len(group), (line, "".join(text for text, _ in group)))
            line += sum(lines for _, lines in group)

    @override
    def frame(self, piece: Chunk) -> tuple[pd.DataFrame, list[RejectedRows]]:
        line, text = piece.content
        if (table := self._quick(text, piece)) is not None:
            return table, []
        try:
            rows = list(self.layout.dialect.rows(text))
        except csv.Error as error:
            raise InputError(
                f"{self.name}, lines {line} to {line + text.count(chr(10))}: quotes do not pair up ({error}); "
                "fix them, or set source.quote ('' for none)."
            ) from None
        width = len(self.layout.names)
        wrong = {i for i, (_, cells) in enumerate(rows) if is_ragged(cells, width)}
        if not wrong:
            return self._table(rows, piece.first), []
        kept = [i for i in range(len(rows)) if i not in wrong]
        table = self._table([rows[i] for i in kept], 0)
        table.index = pd.Index([piece.first + i for i in kept])
        return table, [self._ragged(piece.first + i, line - 1 + rows[i][0], rows[i][1]) for i in sorted(wrong)]

    def _quick(self, text: str, piece: Chunk) -> pd.DataFrame | None:
        """Parse with Arrow, which is much faster, if nothing is quoted and all numbers are plain; else None."""
        dialect, names = self.layout.dialect, self.layout.columns()
        if dialect.delimiter == " " or dialect.escape or (dialect.quote and dialect.quote in text):
            return None
        types = {name: pa.float64() if name in self.numbers else pa.string() for name in names}
        try:
            found = pc.read_csv(
                pa.BufferReader(text.encode()),
                pc.ReadOptions(use_threads=False, column_names=names),
                pc.ParseOptions(delimiter=dialect.delimiter, quote_char=False),
                pc.ConvertOptions(column_types=types, null_values=["", "NA", "nan", "NaN", "null", "?", "-"]),
            )
        except (pa.ArrowException, UnicodeEncodeError):
            return None
        if len(found) != piece.rows:
            return None
        columns = {n: found[n].to_numpy() if n in self.numbers else _cells(found[n]) for n in names}
        return pd.DataFrame(columns, index=range(piece.first, piece.first + piece.rows))

    def _ragged(self, row: int, line: int, cells: list[str]) -> RejectedRows:
        by, width = self.layout.dialect.delimiter, len(self.layout.names)
        why = f"{len(cells)} cells where line {self.layout.first_line} has {width}"
        return RejectedRows(row=row, where=f"{self.name}, line {line}", why=why, given=by.join(cells))

    def _table(self, rows: list[CsvRow], first: int) -> pd.DataFrame:
        names = self.layout.columns()
        columns = list(zip(*(cells[: len(names)] for _, cells in rows), strict=True)) or [()] * len(names)
        words = {name: [cell or None for cell in cells] for name, cells in zip(names, columns, strict=True)}
        return pd.DataFrame(words, index=range(first, first + len(rows)), dtype=object)

    def _text(self) -> tuple[str, bool]:
        """Whole lines from the beginning of the file, and whether there are more."""
        lines, taken, size = read_lines(self.path, self.encoding), [], 0
        for line in lines:
            taken.append(line)
            size += len(line)
            if size >= HEAD_CHARACTERS:
                break
        return "".join(taken), next(lines, None) is not None


def _cells(column: pa.ChunkedArray) -> NDArray[np.object_]:
    return np.array([cell.strip() or None for cell in column.to_pylist()], object)


def csv_records(lines: Iterator[str], dialect: Dialect, name: str) -> Iterator[CsvRecord]:
    """Yield the text of every record with its number of lines; blank lines belong to the next record.

    Raises:
        InputError: A quote is not closed within 16 million characters.
    """
    taken: list[str] = []

    def taking() -> Iterator[str]:
        size = 0
        for line in lines:
            taken.append(line)
            size = size + len(line) if len(taken) > 1 else len(line)
            if size > MAX_CELL_CHARACTERS:
                raise InputError(f"{name}: a quote is not closed; correct it, or set source.quote.")
            yield line

    ours = taking()
    for line in ours:
        if dialect.quote and dialect.quote in line:
            next(dialect.reader(chain([line], ours), strict=False))
        elif not line.strip(" \t\r\n" if dialect.delimiter == " " else "\r\n"):
            continue
        yield "".join(taken), len(taken)
        taken.clear()

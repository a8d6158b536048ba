"""Read JSON in chunks: JSON Lines, or the objects of one array."""

import json
from collections.abc import Iterator
from itertools import islice
from typing import Any

import pandas as pd
from typing_extensions import override

from credence.core.errors import InputError
from credence.data.sources._files import detect_encoding, read_lines, require_path
from credence.data.sources.jsonl import Jsonl, parse_line, parse_record
from credence.production.batch.reader import (
    SCHEMA_SAMPLE_ROWS,
    BatchReader,
    Chunk,
    RejectedRows,
    chunked,
    file_identity,
)

MAX_LINE_CHARACTERS = 16_000_000


class JsonlReader(BatchReader):
    """Keeps JSON values; a key that the first rows have and a later row lacks is None there."""

    def __init__(self, source: Jsonl) -> None:
        self.name, self.path = str(source.path), require_path(source.path)
        self.encoding = detect_encoding(self.path, source.encoding)
        opening = next((line.lstrip() for line in self._lines() if line.strip()), "")
        if not opening:
            raise InputError(f"{self.path} is empty; expected a table.")
        self.is_array = opening.startswith("[")
        self.keys: list[str] = []
        self._head = self._first_rows()
        self.keys = list(map(str, self._head))

    @override
    def fingerprint(self) -> dict[str, Any]:
        return file_identity(self.path)

    @override
    def head(self) -> pd.DataFrame:
        return self._head

    @override
    def pieces(self, rows: int) -> Iterator[Chunk]:
        for number, group in enumerate(chunked(self._texts(), rows)):
            yield Chunk(number * rows, len(group), group)

    @override
    def frame(self, piece: Chunk) -> tuple[pd.DataFrame, list[RejectedRows]]:
        rows: dict[int, dict[str, Any]] = {}
        rejected = []
        for row, (place, text) in enumerate(piece.content, piece.first):
            where = f"{self.name}, {'object' if self.is_array else 'line'} {place}"
            try:
                rows[row] = parse_record(where, parse_line(text, where))
            except InputError as error:
                why = str(error).removeprefix(f"{where}: ").rstrip(".")
                rejected.append(RejectedRows(row=row, where=where, why=why, given=text.strip()))
        table = pd.DataFrame(list(rows.values()), index=list(rows), dtype=object)
        return (table.reindex(columns=self.keys) if self.keys else table), rejected

    def _first_rows(self) -> pd.DataFrame:
        group = list(islice(self._texts(), SCHEMA_SAMPLE_ROWS))
        table, rejected = self.frame(Chunk(0, len(group), group))
        if table.empty:
            raise rejected[0].refuse() if rejected else InputError(f"{self.path} holds no rows; expected objects.")
        return table

    def _lines(self) -> Iterator[str]:
        return read_lines(self.path, self.encoding)

    def _texts(self) -> Iterator[tuple[int, str]]:
        """The text of every object, with its line number or its index in the array."""
        if self.is_array:
            return enumerate(_objects(self._lines(), self.name), 1)
        return ((i, line) for i, line in enumerate(self._lines(), 1) if line.strip())


def _objects(lines: Iterator[str], name: str) -> Iterator[str]:
    """Yield the text of each member of an array without holding the whole array."""
    decoder, rest, opened = json.JSONDecoder(), "", False
    for line in lines:
        rest = (rest + line).lstrip()
        if not opened and rest:
            rest, opened = rest[1:], True
        while (rest := rest.lstrip(" \t\r\n,")) and rest[0] != "]":
            try:
                end = decoder.raw_decode(rest)[1]
            except ValueError as error:
                if len(rest) > MAX_LINE_CHARACTERS:
                    raise InputError(f"{name}: this is not JSON ({error}); expected an array of objects.") from None
                break
            yield rest[:end]
            rest = rest[end:]
    if rest[:1] != "]":
        raise InputError(f"{name}: this is not JSON (the array is not closed, near {rest[:30]!r}); correct it.")

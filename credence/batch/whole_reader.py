"""Sources that can only be read whole, such as bundled tables: read once, then cut."""

import hashlib
from collections.abc import Iterator
from typing import Any

import pandas as pd

from credence.batch.reader import Piece, Reader, Rejected
from credence.rows import fingerprints
from credence.sources import Source


class WholeReader(Reader):
    """All rows are held in memory; csv, jsonl, parquet and sql are not."""

    def __init__(self, source: Source, name: str) -> None:
        self.name, self._table = name, source.read().reset_index(drop=True)

    def fingerprint(self) -> dict[str, Any]:
        rows = "".join(fingerprints(self._table))
        return {"rows": len(self._table), "content": hashlib.blake2b(rows.encode(), digest_size=16).hexdigest()}

    def head(self) -> pd.DataFrame:
        return self._table

    def expected(self) -> int | None:
        return len(self._table)

    def pieces(self, rows: int) -> Iterator[Piece]:
        for first in range(0, len(self._table), rows):
            table = self._table.iloc[first : first + rows]
            yield Piece(first, len(table), table)

    def frame(self, piece: Piece) -> tuple[pd.DataFrame, list[Rejected]]:
        table: pd.DataFrame = piece.content
        return table, []

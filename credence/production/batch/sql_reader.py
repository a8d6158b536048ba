"""Read the result of a query in chunks, fetched from the database as needed."""

import hashlib
import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pandas as pd
from typing_extensions import override

from credence.core.errors import InputError
from credence.data.sources.sql import Sql
from credence.production.batch.reader import SCHEMA_SAMPLE_ROWS, BatchReader, Chunk, RejectedRows

ORDERED = re.compile(r"\border\s+by\b", re.IGNORECASE)


class SqlReader(BatchReader):
    """Requires an ORDER BY, because a resumed job must find the same rows."""

    def __init__(self, source: Sql) -> None:
        self.source = source
        self.name = "the query's result"
        if not ORDERED.search(source.query):
            raise InputError(
                "source.query has no ORDER BY, so its rows may come in another order after a pause; "
                "order them by a column with unique values."
            )

    @override
    def fingerprint(self) -> dict[str, Any]:
        return {"query": self.source.query, "database": _digest(self.source.url)}  # a URL may contain a password

    @override
    def head(self) -> pd.DataFrame:
        piece = next(self.pieces(SCHEMA_SAMPLE_ROWS), None)
        if piece is None:
            raise InputError(f"the query returned no rows: {self.source.query}")
        return self.frame(piece)[0]

    @override
    def pieces(self, rows: int) -> Iterator[Chunk]:
        first = 0
        for content in self.source.parts(rows):
            yield Chunk(first, len(content[1]), content)
            first += len(content[1])

    @override
    def frame(self, piece: Chunk) -> tuple[pd.DataFrame, list[RejectedRows]]:
        names, rows = piece.content
        plain = [[float(v) if isinstance(v, Decimal) else v for v in row] for row in rows]
        index = range(piece.first, piece.first + len(rows))
        return pd.DataFrame(plain, columns=names, index=index, dtype=object), []

    @override
    def trace(self, piece: Chunk) -> str:
        return _digest(repr(piece.content))


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()

"""Choose the reader of a source and the sink of a job."""

import hashlib
from collections.abc import Iterator
from typing import Any

import pandas as pd
from typing_extensions import override

from credence.core.registry import SourceSpec
from credence.data.rows import row_hashes
from credence.data.sources import Source
from credence.production.batch.csv_reader import CsvReader
from credence.production.batch.database_sink import DatabaseSink
from credence.production.batch.job import BatchJob
from credence.production.batch.jsonl_reader import JsonlReader
from credence.production.batch.parquet_reader import ParquetReader
from credence.production.batch.part_files import PartFiles
from credence.production.batch.reader import BatchReader, Chunk, RejectedRows
from credence.production.batch.sink import Sink
from credence.production.batch.sql_reader import SqlReader


class WholeReader(BatchReader):
    """Holds all rows in memory, for sources that cannot be read in chunks."""

    def __init__(self, source: Source, name: str) -> None:
        self.name, self._table = name, source.read().reset_index(drop=True)

    @override
    def fingerprint(self) -> dict[str, Any]:
        rows = "".join(row_hashes(self._table))
        return {"rows": len(self._table), "content": hashlib.blake2b(rows.encode(), digest_size=16).hexdigest()}

    @override
    def head(self) -> pd.DataFrame:
        return self._table

    @override
    def expected(self) -> int | None:
        return len(self._table)

    @override
    def pieces(self, rows: int) -> Iterator[Chunk]:
        for first in range(0, len(self._table), rows):
            table = self._table.iloc[first : first + rows]
            yield Chunk(first, len(table), table)

    @override
    def frame(self, piece: Chunk) -> tuple[pd.DataFrame, list[RejectedRows]]:
        table: pd.DataFrame = piece.content
        return table, []


READERS = {"csv": CsvReader, "jsonl": JsonlReader, "parquet": ParquetReader, "sql": SqlReader}


def reader_of(spec: SourceSpec) -> BatchReader:
    """The reader of a source."""
    source = spec.build()
    return READERS[spec.kind](source) if spec.kind in READERS else WholeReader(source, f"source {spec.kind}")


def sink_of(job: BatchJob) -> Sink:
    """The sink of a job."""
    return DatabaseSink(job) if job.is_database else PartFiles(job)


def chunks(spec: SourceSpec, rows: int, start: int = 0) -> Iterator[tuple[int, pd.DataFrame]]:
    """Yield (number, raw table) of each chunk of a source, from chunk number `start` on.

    Raises:
        InputError: A row cannot be parsed.
    """
    reader = reader_of(spec)
    for index, piece in enumerate(reader.pieces(rows)):
        if index >= start:
            table, broken = reader.frame(piece)
            if broken:
                raise broken[0].refuse()
            yield index, table

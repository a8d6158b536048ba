"""Which reader a source has, and which sink an output."""

import hashlib
from collections.abc import Iterator
from typing import Any

import pandas as pd

from credence.core.registry import SourceSpec
from credence.data.rows import fingerprints
from credence.data.sources import Source
from credence.production.batch.csv_reader import CsvReader
from credence.production.batch.database_sink import Database
from credence.production.batch.job import Job
from credence.production.batch.jsonl_reader import JsonlReader
from credence.production.batch.parquet_reader import ParquetReader
from credence.production.batch.part_files import Parts
from credence.production.batch.reader import Piece, Reader, Rejected
from credence.production.batch.sink import Sink
from credence.production.batch.sql_reader import SqlReader


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


READERS = {"csv": CsvReader, "jsonl": JsonlReader, "parquet": ParquetReader, "sql": SqlReader}


def reader_of(spec: SourceSpec) -> Reader:
    """The reader of a source; kinds that cannot be cut are read whole."""
    source = spec.build()
    return READERS[spec.kind](source) if spec.kind in READERS else WholeReader(source, f"source {spec.kind}")


def sink_of(job: Job) -> Sink:
    """Where a job's answers go."""
    return Database(job) if job.is_database else Parts(job)


def chunks(spec: SourceSpec, rows: int, start: int = 0) -> Iterator[tuple[int, pd.DataFrame]]:
    """The raw table of a source, so many rows at a time, from chunk number `start` on. BadInput names a broken row."""
    reader = reader_of(spec)
    for index, piece in enumerate(reader.pieces(rows)):
        if index >= start:
            table, broken = reader.frame(piece)
            if broken:
                raise broken[0].refuse()
            yield index, table

"""Which reader a source has, and which sink an output."""

from collections.abc import Iterator

import pandas as pd

from credence.batch.csv_reader import CsvReader
from credence.batch.database import Database
from credence.batch.job import Job
from credence.batch.jsonl_reader import JsonlReader
from credence.batch.parquet_reader import ParquetReader
from credence.batch.parts import Parts
from credence.batch.reader import Reader
from credence.batch.sink import Sink
from credence.batch.sql_reader import SqlReader
from credence.batch.whole_reader import WholeReader
from credence.kinds import SourceSpec

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

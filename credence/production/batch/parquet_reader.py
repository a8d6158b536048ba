"""Read Parquet in chunks: a file, or a folder of files, one batch in memory at a time."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from typing_extensions import override

from credence.core.errors import InputError, first_line
from credence.data.sources._files import flatten_columns, require_path
from credence.data.sources.parquet import Parquet
from credence.production.batch.reader import SCHEMA_SAMPLE_ROWS, BatchReader, Chunk, RejectedRows, file_identity

BATCH_ROWS = 10_000


class ParquetReader(BatchReader):
    """Keeps Arrow's values; the files of a folder are read in the order of their names."""

    def __init__(self, source: Parquet) -> None:
        self.name, self.path = str(source.path), require_path(source.path)
        self.files = sorted(self.path.rglob("*.parquet")) if self.path.is_dir() else [self.path]
        if not self.files:
            raise InputError(f"{self.path}: no *.parquet file in this folder; expected at least one.")
        self.rows: int = sum(self._open(file).metadata.num_rows for file in self.files)
        if not self.rows:
            raise InputError(f"{self.path} holds no rows.")

    @override
    def fingerprint(self) -> dict[str, Any]:
        return file_identity(self.path)

    @override
    def head(self) -> pd.DataFrame:
        return self.frame(next(self.pieces(SCHEMA_SAMPLE_ROWS)))[0]

    @override
    def expected(self) -> int | None:
        return self.rows

    @override
    def pieces(self, rows: int) -> Iterator[Chunk]:
        held, size, first = [], 0, 0
        for batch in self._batches(min(rows, BATCH_ROWS)):
            held.append(batch)
            size += len(batch)
            while size >= rows:
                table = pa.Table.from_batches(held)
                yield Chunk(first, rows, table.slice(0, rows).combine_chunks())
                held, size, first = table.slice(rows).to_batches(), size - rows, first + rows
        if size:
            yield Chunk(first, size, pa.Table.from_batches(held).combine_chunks())

    @override
    def frame(self, piece: Chunk) -> tuple[pd.DataFrame, list[RejectedRows]]:
        table = piece.content.to_pandas(ignore_metadata=True, integer_object_nulls=True)
        table = flatten_columns(table.drop(columns=[c for c in table if str(c).startswith("__index_level_")]))
        table.index = pd.RangeIndex(piece.first, piece.first + len(table))
        return table, []

    def _batches(self, rows: int) -> Iterator[pa.RecordBatch]:
        schema = self._open(self.files[0]).schema_arrow
        for path in self.files:
            with self._open(path) as file:
                if file.schema_arrow.names != schema.names:
                    raise InputError(f"{path} has other columns than {self.files[0]}; read the files one by one.")
                try:
                    for batch in file.iter_batches(rows):
                        yield pa.RecordBatch.from_arrays(batch.cast(schema).columns, schema=schema.remove_metadata())
                except (pa.ArrowException, OSError) as error:
                    raise _unreadable(path, error) from None

    def _open(self, path: Path) -> pq.ParquetFile:
        try:
            return pq.ParquetFile(path, buffer_size=1 << 20, pre_buffer=False)
        except (pa.ArrowException, OSError) as error:
            raise _unreadable(path, error) from None


def _unreadable(path: Path, error: Exception) -> InputError:
    said = first_line(error)
    return InputError(f"{path}: not readable as Parquet ({said}); check source.kind.")

"""Export the data set to Parquet or JSON Lines, atomically; equal rows give equal bytes."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import IO

import pyarrow as pa
import pyarrow.parquet as pq

from credence.core.atomic_write import atomic_write, remove_stale_temp_files
from credence.core.errors import InputError
from credence.generation.ledger.records import DatasetRow

TYPES = {str: pa.string(), bool: pa.bool_(), int: pa.int32()}
SCHEMA = pa.schema([pa.field(n, TYPES[f.annotation], nullable=False) for n, f in DatasetRow.model_fields.items()])  # type: ignore[index]
GROUP_ROWS, LINES = 1 << 16, 4096


def export_parquet(table: pa.Table, file: Path) -> str:
    """Write the rows as Parquet and return the file's SHA-256 (hex).

    Raises:
        InputError: The file cannot be written.
    """
    return _export(
        file, lambda draft: pq.write_table(table, draft, compression="zstd", row_group_size=GROUP_ROWS, version="2.6")
    )


def export_jsonl(table: pa.Table, file: Path) -> str:
    """Write one JSON object per row and return the file's SHA-256 (hex).

    Raises:
        InputError: The file cannot be written.
    """

    def write(draft: IO[bytes]) -> None:
        for part in table.to_batches(max_chunksize=LINES):
            lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in part.to_pylist())
            draft.write("".join(lines).encode())

    return _export(file, write)


def _export(file: Path, write: Callable[[IO[bytes]], None]) -> str:
    """Write a file atomically: a crash leaves the old file or the new one."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        remove_stale_temp_files(file.parent, file.name)
        with atomic_write(file) as draft:
            with draft.open("xb") as out:
                write(out)
            with draft.open("rb") as written:
                sha256 = hashlib.file_digest(written, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"{file}: not written ({error.strerror or error}); free the place or name another.") from None
    return sha256

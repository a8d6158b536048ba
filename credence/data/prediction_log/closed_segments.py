"""Closed segments in Parquet: write, read, compact and expire."""

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from credence.core.atomic_write import atomic_write, remove_stale_temp_files
from credence.core.errors import InputError
from credence.core.file_lock import try_lock
from credence.data.prediction_log.active_segment import FILE_MODE, HIDDEN_PREFIX, OPEN_SUFFIX, segment_name
from credence.data.prediction_log.jsonl import SegmentContent, decode_lines

CLOSED_SUFFIX = ".parquet"
METADATA_KEY = b"credence.segment"


def write_segment(folder: Path, name: str, table: pa.Table) -> None:
    """Write a closed segment atomically; replace one of the same name.

    Raises:
        InputError: `name` is not a plain file name.
    """
    if not name or Path(name).name != name or name.startswith((".", HIDDEN_PREFIX)):
        raise InputError(f"{name!r} cannot name a segment; expected a plain file name such as batch-7-00012.")
    folder.mkdir(parents=True, exist_ok=True)
    with atomic_write(folder / f"{name}{CLOSED_SUFFIX}") as draft:
        pq.write_table(table, draft, compression="zstd", write_page_checksum=True)
        _set_modification_time(draft, table)
        draft.chmod(FILE_MODE)


def _set_modification_time(file: Path, table: pa.Table) -> None:
    """Make the file at least as new as its newest record, so that readers can skip it by its age."""
    if len(table) and (newest := pc.max(table["time"]).as_py().timestamp()) > time.time():
        os.utime(file, (newest, newest))


def read_closed(file: Path, wanted: pa.Schema, when: pc.Expression) -> SegmentContent:
    """Read part of a closed segment.

    Args:
        file: The Parquet file.
        wanted: The columns to read.
        when: Filter on the time of a record.

    Raises:
        ArrowException: The file is damaged.
        OSError: The file is damaged, or cannot be read.
        ValueError: The file is not a segment.
    """
    metadata = pq.read_schema(file).metadata or {}
    about = json.loads(metadata.get(METADATA_KEY, b"{}"))
    found = pq.read_table(file, columns=wanted.names, filters=when, partitioning=None, page_checksum_verification=True)
    if absent := set(wanted.names) - set(found.column_names):
        raise ValueError(f"it has no column {sorted(absent)[0]!r}")
    table = found.select(wanted.names).cast(wanted)
    table.validate(full=True)
    return SegmentContent(table, int(about.get("dropped", 0)), dict(about.get("skipped", {})))


def read_open(file: Path, schema: pa.Schema) -> SegmentContent:
    """Read an active segment.

    Raises:
        FileNotFoundError: The segment was closed meanwhile.
    """
    descriptor = os.open(file, os.O_RDONLY)
    try:
        has_writer = not try_lock(descriptor, fcntl.LOCK_SH)
        return decode_lines(file.read_bytes(), schema, has_writer)
    finally:
        os.close(descriptor)


def compact_and_expire(folder: Path, schema: pa.Schema, keep: timedelta | None = None) -> None:
    """Convert segments without a running writer to Parquet, and remove closed segments older than `keep`.

    Args:
        folder: The folder of the segments.
        schema: The schema of their records.
        keep: How long to keep closed segments; by default forever.
    """
    for file in sorted(folder.glob(f"{HIDDEN_PREFIX}*{OPEN_SUFFIX}")):
        with _abandoned(file) as data:
            if data is not None:
                _close(file, data, schema)
    remove_stale_temp_files(folder)
    if keep is not None:
        _expire(folder, keep)


@contextmanager
def _abandoned(file: Path) -> Iterator[bytes | None]:
    """Lock a segment and yield its bytes, or None if its writer or another process holds the lock."""
    try:
        descriptor = os.open(file, os.O_RDONLY)
    except FileNotFoundError:
        yield None
        return
    try:
        yield file.read_bytes() if try_lock(descriptor) else None
    finally:
        os.close(descriptor)


def _close(file: Path, data: bytes, schema: pa.Schema) -> None:
    """Convert a segment to Parquet; after a crash in between, both files exist and the Parquet file counts."""
    name = segment_name(file)
    if data and not _is_complete(file.parent / f"{name}{CLOSED_SUFFIX}"):
        found = decode_lines(data, schema)
        about = json.dumps({"dropped": found.dropped, "skipped": found.skipped})
        write_segment(file.parent, name, found.table.replace_schema_metadata({METADATA_KEY: about}))
    file.unlink()


def _is_complete(closed: Path) -> bool:
    try:
        pq.read_metadata(closed)
    except (OSError, pa.ArrowException):
        return False
    return True


def _expire(folder: Path, older: timedelta) -> None:
    for file in folder.glob(f"*{CLOSED_SUFFIX}"):
        with suppress(FileNotFoundError):  # another process may remove it at the same time
            if file.stat().st_mtime < time.time() - older.total_seconds():
                file.unlink()

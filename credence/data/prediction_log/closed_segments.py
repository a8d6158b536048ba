"""The closed files of a log, in Parquet: how they come to be, are read, and go."""

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from credence.core.atomic_write import atomic_write, remove_stale_temp_files
from credence.core.errors import InputError
from credence.data.prediction_log.active_segment import FILE_MODE, HIDDEN_PREFIX, OPEN_SUFFIX, segment_name, try_lock
from credence.data.prediction_log.jsonl import SegmentContent, decode_lines

CLOSED_SUFFIX = ".parquet"
METADATA_KEY = b"credence.segment"


def write_segment(folder: Path, name: str, table: pa.Table) -> None:
    """A closed segment, whole or not at all; one of the same name is replaced."""
    if not name or Path(name).name != name or name.startswith((".", HIDDEN_PREFIX)):
        raise InputError(f"{name!r} cannot name a segment; expected a plain file name such as batch-7-00012.")
    folder.mkdir(parents=True, exist_ok=True)
    with atomic_write(folder / f"{name}{CLOSED_SUFFIX}") as draft:
        pq.write_table(table, draft, compression="zstd", write_page_checksum=True)
        _age(draft, table)
        draft.chmod(FILE_MODE)


def _age(file: Path, table: pa.Table) -> None:
    """A file is never older than its newest record, so that readers may pass over it by its age."""
    if len(table) and (newest := pc.max(table["time"]).as_py().timestamp()) > time.time():
        os.utime(file, (newest, newest))


def read_closed(file: Path, wanted: pa.Schema, when: pc.Expression) -> SegmentContent:
    """The asked part of a closed segment, and what was said of it when it was closed.

    Raises an ArrowException, an OSError or a ValueError where the file is damaged or is no segment.
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
    """What an open segment holds so far. FileNotFoundError where it has just been closed."""
    descriptor = os.open(file, os.O_RDONLY)
    try:
        living = not try_lock(descriptor, fcntl.LOCK_SH)
        return decode_lines(file.read_bytes(), schema, living)
    finally:
        os.close(descriptor)


def compact_and_expire(folder: Path, schema: pa.Schema, keep: timedelta | None = None) -> None:
    """Make Parquet of every segment whose writer is gone, and remove closed ones that are older than `keep`."""
    for file in sorted(folder.glob(f"{HIDDEN_PREFIX}*{OPEN_SUFFIX}")):
        with _abandoned(file) as data:
            if data is not None:
                _close(file, data, schema)
    remove_stale_temp_files(folder)
    if keep is not None:
        _remove(folder, keep)


@contextmanager
def _abandoned(file: Path) -> Iterator[bytes | None]:
    """The bytes of a segment without a living writer, locked meanwhile; None where it is not ours to close."""
    try:
        descriptor = os.open(file, os.O_RDONLY)
    except FileNotFoundError:
        yield None
        return
    try:
        yield file.read_bytes() if try_lock(descriptor, fcntl.LOCK_EX) else None
    finally:
        os.close(descriptor)


def _close(file: Path, data: bytes, schema: pa.Schema) -> None:
    """A crash in between leaves both files, with the same records: then the Parquet file counts."""
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


def _remove(folder: Path, older: timedelta) -> None:
    """Another process may remove the same file at the same moment."""
    for file in folder.glob(f"*{CLOSED_SUFFIX}"):
        try:
            if file.stat().st_mtime < time.time() - older.total_seconds():
                file.unlink()
        except FileNotFoundError:
            continue

"""Atomic, fsynced file replacement."""

import glob
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

TEMP_SUFFIX = ".tmp"
STALE_TEMP_SECONDS = 3600  # no single file takes an hour to write


@contextmanager
def atomic_write(file: Path, beside: Path | None = None) -> Iterator[Path]:
    """Yield a temporary path; on success, fsync it and rename it to `file`; on error, remove it.

    Args:
        file: The file to create or replace.
        beside: Folder of the temporary file, on the same file system; by default the folder of `file`.
    """
    draft = (beside or file.parent) / f".{file.name}.{secrets.token_hex(4)}{TEMP_SUFFIX}"
    try:
        yield draft
        fsync_path(draft)
        draft.replace(file)
    finally:
        draft.unlink(missing_ok=True)
    fsync_path(file.parent)


def atomic_write_text(file: Path, text: str) -> None:
    """Write a small UTF-8 file atomically; readers see the old text or the new text."""
    remove_stale_temp_files(file.parent, file.name)
    with atomic_write(file) as draft:
        draft.write_text(text, encoding="utf-8")


def remove_stale_temp_files(folder: Path, name: str | None = None) -> None:
    """Remove temporary files older than one hour; younger ones may belong to a running writer.

    Args:
        folder: Where to look.
        name: The file whose temporary files are removed; by default those of all files.
    """
    for draft in folder.glob(f".{'*' if name is None else glob.escape(name)}.*{TEMP_SUFFIX}"):
        with suppress(FileNotFoundError):  # another process may remove it at the same time
            if draft.stat().st_mtime < time.time() - STALE_TEMP_SECONDS:
                draft.unlink()


def fsync_path(path: Path) -> None:
    """Flush a file, or the entries of a folder, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

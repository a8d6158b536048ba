"""Files that are whole or not there at all, also when the process is killed or the power fails while one is written."""

import glob
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

TEMP_SUFFIX = ".tmp"
STALE_TEMP_SECONDS = 3600


@contextmanager
def atomic_write(file: Path, beside: Path | None = None) -> Iterator[Path]:
    """A draft to write in the folder `beside`, which takes the file's place once all of it is on the disk."""
    draft = (beside or file.parent) / f".{file.name}.{secrets.token_hex(4)}{TEMP_SUFFIX}"
    try:
        yield draft
        fsync_path(draft)
        draft.replace(file)
    finally:
        draft.unlink(missing_ok=True)
    fsync_path(file.parent)


def atomic_write_text(file: Path, text: str) -> None:
    """Write a small file at once: a reader finds the text before or the text after."""
    remove_stale_temp_files(file.parent, file.name)
    with atomic_write(file) as draft:
        draft.write_text(text, encoding="utf-8")


def remove_stale_temp_files(folder: Path, name: str | None = None) -> None:
    """Remove what killed writers of the file `name`, or of any, left; a younger draft may be one that is at work."""
    for draft in folder.glob(f".{'*' if name is None else glob.escape(name)}.*{TEMP_SUFFIX}"):
        with suppress(FileNotFoundError):  # another process may remove it at the same moment
            if draft.stat().st_mtime < time.time() - STALE_TEMP_SECONDS:
                draft.unlink()


def fsync_path(path: Path) -> None:
    """Return once a file, or the names in a folder, would survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

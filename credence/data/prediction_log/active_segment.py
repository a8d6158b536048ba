"""Active segments: JSON Lines files, locked by their writer until its process ends."""

import os
import secrets
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from credence.core.atomic_write import fsync_path
from credence.core.file_lock import try_lock

OPEN_SUFFIX = ".jsonl"
FILE_MODE = 0o640  # rows may be confidential: not readable by others
HIDDEN_PREFIX = "_"  # readers of Parquet folders ignore such files


class ActiveSegment:
    """A segment under writing.

    The kernel releases its lock when the process ends, so other processes can tell whether the writer still runs.
    """

    def __init__(self, path: Path, descriptor: int) -> None:
        """Wrap a file that is open for appending and locked."""
        self.path, self._descriptor = path, descriptor
        self.size, self.opened, self._torn = 0, time.monotonic(), False

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Create and lock a new segment; try again if another process removes it before it is locked."""
        folder.mkdir(parents=True, exist_ok=True)
        while True:
            path = open_segment_path(folder, f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{os.getpid()}-{secrets.token_hex(4)}")
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND, FILE_MODE)
            if try_lock(descriptor):
                fsync_path(folder)
                return cls(path, descriptor)
            os.close(descriptor)

    def write(self, lines: bytes) -> None:
        """Append lines, all or none.

        Raises:
            OSError: The disk does not accept the lines; none is kept.
        """
        if self._torn:
            self._cut()
        try:
            written = os.write(self._descriptor, lines)
            while written < len(lines):
                written += os.write(self._descriptor, lines[written:])
        except OSError:
            self._torn = True
            with suppress(OSError):
                self._cut()
            raise
        self.size += len(lines)

    def _cut(self) -> None:
        os.ftruncate(self._descriptor, self.size)
        self._torn = False

    def sync(self) -> None:
        """Flush the lines to the disk."""
        os.fsync(self._descriptor)

    def is_gone(self) -> bool:
        """Return whether the file was removed, so that further lines would be lost."""
        return os.fstat(self._descriptor).st_nlink == 0

    def close(self) -> None:
        """Close the segment and release its lock; the next `compact_and_expire` converts it to Parquet."""
        os.close(self._descriptor)


def open_segment_path(folder: Path, name: str) -> Path:
    """Return the file of an active segment."""
    return folder / f"{HIDDEN_PREFIX}{name}{OPEN_SUFFIX}"


def segment_name(file: Path) -> str:
    """Return the name of the segment of a file, active or closed."""
    return file.stem.removeprefix(HIDDEN_PREFIX)

"""The file that a living writer owns: lines of JSON, locked for as long as its process lives."""

import fcntl
import os
import secrets
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from credence.core.atomic_write import fsync_path

OPEN_SUFFIX = ".jsonl"
FILE_MODE = 0o640  # rows of data: not for everybody
HIDDEN_PREFIX = "_"  # by which readers of Parquet folders know what is none of theirs


class ActiveSegment:
    """The kernel lets go of the lock when the process ends, however it ends: so everybody can tell the living ones."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path, self._descriptor = path, descriptor
        self.size, self.opened, self._torn = 0, time.monotonic(), False

    @classmethod
    def open(cls, folder: Path) -> Self:
        """A new segment. Another process may take it for a dead one's before it is locked; then there is one more."""
        folder.mkdir(parents=True, exist_ok=True)
        while True:
            path = read_complete_lines(
                folder, f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{os.getpid()}-{secrets.token_hex(4)}"
            )
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND, FILE_MODE)
            if try_lock(descriptor, fcntl.LOCK_EX):
                fsync_path(folder)
                return cls(path, descriptor)
            os.close(descriptor)

    def write(self, lines: bytes) -> None:
        """All of the lines or, with an OSError, none."""
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
        """Return once the lines would survive a power cut."""
        os.fsync(self._descriptor)

    def is_gone(self) -> bool:
        """Whether somebody has removed the file, so that whatever is written is lost."""
        return os.fstat(self._descriptor).st_nlink == 0

    def close(self) -> None:
        """Let go of the segment: whoever tidies next makes it Parquet."""
        os.close(self._descriptor)


def read_complete_lines(folder: Path, name: str) -> Path:
    """Where the lines of a segment lie until it is closed."""
    return folder / f"{HIDDEN_PREFIX}{name}{OPEN_SUFFIX}"


def segment_name(file: Path) -> str:
    """The name of the segment that a file belongs to, open or closed."""
    return file.stem.removeprefix(HIDDEN_PREFIX)


def try_lock(descriptor: int, how: int) -> bool:
    """Lock an open file without waiting. False where somebody else holds it or has removed it."""
    try:
        fcntl.flock(descriptor, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return os.fstat(descriptor).st_nlink > 0

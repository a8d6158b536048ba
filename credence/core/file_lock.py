"""File locks (flock): one holder at a time; the kernel releases a lock when its process ends."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from credence.core.errors import InputError

LOCK_FILE = "ledger.lock"


def try_lock(descriptor: int, how: int = fcntl.LOCK_EX) -> bool:
    """Lock an open file without waiting.

    Args:
        descriptor: The open file.
        how: `fcntl.LOCK_EX` (exclusive) or `fcntl.LOCK_SH` (shared).

    Returns:
        False if another process holds the lock or has removed the file.
    """
    try:
        fcntl.flock(descriptor, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return os.fstat(descriptor).st_nlink > 0


@contextmanager
def exclusive_lock(file: Path, refusal: str) -> Iterator[int]:
    """Hold the exclusive lock on `file`, which is created with its folder; yield its descriptor.

    Raises:
        InputError: Another process holds the lock; the message is `refusal`.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w") as opened:
        if not try_lock(opened.fileno()):
            raise InputError(refusal)
        yield opened.fileno()


class FileLock:
    """The exclusive lock of a generation ledger, held until `release` or the end of the process."""

    def __init__(self, folder: Path) -> None:
        """Create the ledger's folder and lock it.

        Raises:
            InputError: Another run holds the lock, or the folder cannot be written.
        """
        self._held = True
        try:
            folder.mkdir(parents=True, exist_ok=True)
            # A descriptor, because a garbage-collected file object would release the lock too early.
            self._descriptor = os.open(folder / LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o644)
            try:
                self._acquire(folder)
            except BaseException:
                self.release()
                raise
        except OSError as error:
            raise InputError(
                f"{folder}: no ledger can be kept there ({error.strerror}); "
                "set CREDENCE_HOME to a folder on a local disk that can be written and has space."
            ) from None

    def _acquire(self, folder: Path) -> None:
        if not try_lock(self._descriptor):
            process = os.pread(self._descriptor, 20, 0).decode(errors="replace").strip()
            raise InputError(
                f"{folder}: another run{f' (process {process})' if process else ''} writes this ledger; "
                "wait for its end, or stop it."
            )
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Release the lock; a second call does nothing."""
        if self._held:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)  # closing alone keeps the lock while a child has a copy
            os.close(self._descriptor)
        self._held = False

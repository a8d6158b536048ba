"""One writer at a time, however many runs are started."""

import fcntl
import os
from pathlib import Path

from credence.core.errors import InputError

LOCK_FILE = "ledger.lock"


class FileLock:
    """Held until it is released, or until the process that holds it ends in whatever way."""

    def __init__(self, folder: Path) -> None:
        """Raises BadInput where another run holds it, or where the folder cannot be written."""
        self._held = True
        try:
            folder.mkdir(parents=True, exist_ok=True)
            # No file object: one that nobody refers to any more would let go while there still is something to write.
            self._descriptor = os.open(folder / LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o644)
            try:
                self._take(folder)
            except BaseException:
                self.release()
                raise
        except OSError as error:
            raise InputError(
                f"{folder}: no ledger can be kept there ({error.strerror}); "
                "set CREDENCE_HOME to a folder on a local disk that can be written and has space."
            ) from None

    def _take(self, folder: Path) -> None:
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            who = os.pread(self._descriptor, 20, 0).decode(errors="replace").strip()
            raise InputError(
                f"{folder}: another run{f' (process {who})' if who else ''} writes this ledger; "
                "wait for its end, or stop it."
            ) from None
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Let the next run write."""
        if self._held:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)  # closing would not do while a child has the descriptor too
            os.close(self._descriptor)
        self._held = False

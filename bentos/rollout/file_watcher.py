"""Poll a few small files and call a function when one has changed."""

import logging
import threading
from collections.abc import Callable
from pathlib import Path

POLL_SECONDS = 0.2
Stamp = tuple[int, int, int] | None
logger = logging.getLogger("bentoml.credence")


class FileWatcher:
    """A thread that polls files.

    Args:
        always: Called at every poll.
        seconds: Time between polls; default 0.2.
    """

    def __init__(self, always: Callable[[], None], seconds: float = POLL_SECONDS) -> None:
        self._always, self._seconds, self._end = always, seconds, threading.Event()
        self._files: list[tuple[Path, Callable[[], None]]] = []
        self._seen: dict[Path, Stamp] = {}
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)

    def add(self, file: Path, changed: Callable[[], None]) -> None:
        """Call `changed` at the first poll that finds the file, and after every change."""
        self._files.append((file, changed))

    def start(self) -> None:
        """Start polling."""
        self._thread.start()

    def stop(self) -> None:
        """Stop polling and wait for a running function to return."""
        self._end.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._end.wait(self._seconds):
            for file, changed in self._files:
                if (now := file_stamp(file)) not in (None, self._seen.get(file)):
                    self._seen[file] = now
                    self._call(changed, f"the change of {file}")
            self._call(self._always, "the update of metrics")

    def _call(self, work: Callable[[], None], what: str) -> None:
        try:
            work()
        except Exception:  # one unreadable file must not stop the polling of the others
            logger.exception("%s failed", what)


def file_stamp(file: Path) -> Stamp:
    """Return inode, modification time (ns) and size; None if there is no file."""
    try:
        found = file.stat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size

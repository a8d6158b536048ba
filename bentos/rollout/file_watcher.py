"""Look at a few small files five times a second, and say when one of them has changed."""

import logging
import threading
from collections.abc import Callable
from pathlib import Path

POLL_SECONDS = 0.2
Stamp = tuple[int, int, int] | None
logger = logging.getLogger("bentoml.credence")


class FileWatcher:
    """A thread that calls a function whenever its file is written or replaced, and `always` every time it looks."""

    def __init__(self, always: Callable[[], None], seconds: float = POLL_SECONDS) -> None:
        self._always, self._seconds, self._end = always, seconds, threading.Event()
        self._files: list[tuple[Path, Callable[[], None]]] = []
        self._seen: dict[Path, Stamp] = {}
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)

    def add(self, file: Path, changed: Callable[[], None]) -> None:
        """Call `changed` for the file as it is, where it is there, and for every change of it."""
        self._files.append((file, changed))

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more; a function that is at work is waited for."""
        self._end.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._end.wait(self._seconds):
            for file, changed in self._files:
                if (now := file_stamp(file)) not in (None, self._seen.get(file)):
                    self._seen[file] = now
                    self._call(changed, f"what {file} says")
            self._call(self._always, "a figure")

    def _call(self, work: Callable[[], None], what: str) -> None:
        try:
            work()
        except Exception:  # one file that cannot be read must not end the watch over the others
            logger.exception("%s was not taken up", what)


def file_stamp(file: Path) -> Stamp:
    """What is different after every change; None where there is no file."""
    try:
        found = file.stat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size

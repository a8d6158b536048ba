"""Writes records beside the work that makes them: a queue that never blocks, a thread that never dies."""

import atexit
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Self

import pyarrow as pa

from credence.core.errors import InputError
from credence.data.prediction_log.active_segment import ActiveSegment
from credence.data.prediction_log.closed_segments import compact_and_expire
from credence.data.prediction_log.jsonl import encode_dropped, encode_record
from credence.data.prediction_log.schema import LogRecord

MAX_QUEUED_LINES = 10_000
WRITE_SECONDS, SYNC_SECONDS = 0.1, 1.0  # often, so that no burst of work keeps requests waiting
SEGMENT_BYTES, SEGMENT_SECONDS = 16 << 20, 600.0
MAX_WRITE_BYTES = 1 << 20
MakeLines = Callable[[], list[LogRecord]]
log = logging.getLogger(__name__)


class LogWriter:
    """One per process and folder. What was put is with the kernel in a tenth of a second, and on disk in a second."""

    def __init__(
        self,
        folder: Path,
        schema: pa.Schema,
        *,
        keep: timedelta | None = None,
        most_waiting: int = MAX_QUEUED_LINES,
        segment_bytes: int = SEGMENT_BYTES,
        segment_seconds: float = SEGMENT_SECONDS,
    ) -> None:
        """`keep` says how long closed segments stay; from `most_waiting` waiting records on, more are dropped.

        Raises BadInput where the folder cannot be written.
        """
        self.folder, self.schema, self.keep = folder, schema, keep
        self._most_waiting, self._most_bytes, self._most_seconds = most_waiting, segment_bytes, segment_seconds
        self.dropped = self._untold = self._waiting = 0
        self._queue: deque[tuple[MakeLines, int]] = deque()
        self._counts, self._disk = threading.Lock(), threading.Lock()
        self._segment: ActiveSegment | None = None
        self._synced, self._fresh, self._failing = time.monotonic(), False, False
        self._wake, self._closing = threading.Event(), False
        _refuse_unwritable(folder)
        self._thread = threading.Thread(target=self._run, name=f"log {folder.name}", daemon=True)
        self._thread.start()
        atexit.register(self.close)

    def put(self, make: MakeLines, rows: int = 1) -> bool:
        """Have the records that `make` returns written soon, without waiting. False: too many wait, these are dropped.

        `make` is called in the writer's thread; `rows` is how many records it will make.
        """
        with self._counts:
            if taken := self._waiting < self._most_waiting and not self._closing:
                self._waiting += rows
                self._queue.append((make, rows))
        if not taken:
            self._drop(rows)
        if self._waiting > self._most_waiting // 2:
            self._wake.set()
        return taken

    def append(self, records: list[LogRecord]) -> None:
        """Write records and return once they would survive a power cut. BadInput where the disk does not take them."""
        lines = b"".join(map(encode_record, records))
        try:
            with self._disk:
                if self._closing:
                    raise InputError("the service is stopping; send this again once it is back.")
                self._write(lines)
                self._sync()
        except OSError as error:
            raise InputError(
                f"{self.folder}: this could not be written ({error.strerror}); make room there and send it again."
            ) from None

    def close(self) -> None:
        """Write all that waits and close the segment. Records that are put later are dropped."""
        atexit.unregister(self.close)
        with self._counts:
            self._closing = True
        self._wake.set()
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self) -> None:
        self._attempt(self._tidy)
        while not self._closing:
            self._wake.wait(WRITE_SECONDS)
            self._wake.clear()
            self._attempt(self._drain)
            self._attempt(self._keep_house)
        self._attempt(self._drain)
        self._attempt(self._retire)

    def _attempt(self, work: Callable[[], None]) -> None:
        """Nothing may end the thread. Files that could not be closed now stay as they are until the next time."""
        try:
            work()
        except Exception:
            log.exception("%s: the log failed and goes on", self.folder)

    def _drain(self) -> None:
        """Write all that waits, and how many were dropped. Without end under pressure, so it keeps house meanwhile."""
        while lines := self._next():
            self._write_or_drop(lines)
            self._keep_house()
        if self._untold:
            self._write_or_drop([])

    def _next(self) -> list[bytes]:
        """Lines of what has waited longest, about a megabyte of them."""
        lines: list[bytes] = []
        size = 0
        while self._queue and size < MAX_WRITE_BYTES:
            made = self._made(*self._queue.popleft())
            lines += made
            size += sum(map(len, made))
        return lines

    def _made(self, make: MakeLines, rows: int) -> list[bytes]:
        with self._counts:
            self._waiting -= rows
        try:
            return list(map(encode_record, make()))
        except Exception:
            self._drop(rows)
            log.exception("%s: %d records could not be made and are dropped", self.folder, rows)
            return []

    def _drop(self, n: int) -> None:
        with self._counts:
            self.dropped += n
            self._untold += n

    def _write_or_drop(self, lines: list[bytes]) -> None:
        """A full disk costs these records and no more; it is told once, and so is the recovery."""
        try:
            with self._disk:
                self._write(b"".join(lines))
        except OSError as error:
            self._drop(len(lines))
            if not self._failing:
                log.error("%s: records are dropped, for the log cannot be written: %s", self.folder, error)
            self._failing = True
        else:
            if self._failing:
                log.warning("%s: the log can be written again; %d records were dropped", self.folder, self.dropped)
            self._failing = False

    def _write(self, lines: bytes) -> None:
        """With the disk's lock: the lines, after how many records were dropped since the last time."""
        untold = self._untold
        if self._segment and self._segment.is_gone():
            self._segment.close()
            self._segment = None
        self._segment = self._segment or ActiveSegment.open(self.folder)
        self._segment.write((encode_dropped(untold) if untold else b"") + lines)
        self._fresh = True
        with self._counts:
            self._untold -= untold

    def _sync(self) -> None:
        if self._segment and self._fresh:
            self._segment.sync()
        self._fresh, self._synced = False, time.monotonic()

    def _keep_house(self) -> None:
        """Every second what is new becomes safe; a segment that is large or old is closed."""
        segment, now = self._segment, time.monotonic()
        if now - self._synced >= SYNC_SECONDS:
            with self._disk:
                self._sync()
        if segment and (segment.size >= self._most_bytes or now - segment.opened >= self._most_seconds):
            self._retire()

    def _retire(self) -> None:
        with self._disk:
            segment, self._segment = self._segment, None
            if segment:
                segment.close()
        self._tidy()

    def _tidy(self) -> None:
        compact_and_expire(self.folder, self.schema, self.keep)


def _refuse_unwritable(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        why = None if os.access(folder, os.W_OK) else "Permission denied"
    except OSError as error:
        why = error.strerror
    if why:
        raise InputError(
            f"{folder}: no log can be kept there ({why}); set CREDENCE_HOME to a folder that can be written."
        )

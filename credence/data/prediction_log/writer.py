"""Write the prediction log in a background thread; callers never block."""

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
WRITE_SECONDS, SYNC_SECONDS = 0.1, 1.0  # small batches, so that encoding them does not delay requests
SEGMENT_BYTES, SEGMENT_SECONDS = 16 << 20, 600.0
MAX_WRITE_BYTES = 1 << 20
MakeLines = Callable[[], list[LogRecord]]
log = logging.getLogger(__name__)


class LogWriter:
    """Writes records to segments; use one per process and folder.

    Records are passed to the kernel within 0.1 s and flushed to the disk within 1 s.
    """

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
        """Start the thread.

        Args:
            folder: The folder of the segments.
            schema: The schema of the records.
            keep: How long to keep closed segments; by default forever.
            most_waiting: Number of waiting records from which new ones are dropped.
            segment_bytes: Size from which a segment is closed.
            segment_seconds: Age from which a segment is closed.

        Raises:
            InputError: The folder cannot be written.
        """
        self.folder, self.schema, self.keep = folder, schema, keep
        self._most_waiting, self._most_bytes, self._most_seconds = most_waiting, segment_bytes, segment_seconds
        self.dropped = self._unrecorded = self._waiting = 0
        self._queue: deque[tuple[MakeLines, int]] = deque()
        self._counts, self._disk = threading.Lock(), threading.Lock()
        self._segment: ActiveSegment | None = None
        self._synced, self._unsynced, self._failing = time.monotonic(), False, False
        self._wake, self._closing = threading.Event(), False
        _refuse_unwritable(folder)
        self._thread = threading.Thread(target=self._run, name=f"log {folder.name}", daemon=True)
        self._thread.start()
        atexit.register(self.close)

    def put(self, make: MakeLines, rows: int = 1) -> bool:
        """Queue records without waiting.

        Args:
            make: Returns the records; called in the writer's thread.
            rows: The number of records that `make` returns.

        Returns:
            False if too many records wait, so that these are dropped.
        """
        with self._counts:
            if accepted := self._waiting < self._most_waiting and not self._closing:
                self._waiting += rows
                self._queue.append((make, rows))
        if not accepted:
            self._drop(rows)
        if self._waiting > self._most_waiting // 2:
            self._wake.set()
        return accepted

    def append(self, records: list[LogRecord]) -> None:
        """Write records and flush them to the disk before returning.

        Raises:
            InputError: The disk does not accept the records, or the writer is closed.
        """
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
        """Write all waiting records and close the segment; later records are dropped."""
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
        self._attempt(self._compact)
        while not self._closing:
            self._wake.wait(WRITE_SECONDS)
            self._wake.clear()
            self._attempt(self._drain)
            self._attempt(self._maintain)
        self._attempt(self._drain)
        self._attempt(self._close_segment)

    def _attempt(self, work: Callable[[], None]) -> None:
        """Run a step; log any error, because the thread must not end. Failed maintenance is tried again later."""
        try:
            work()
        except Exception:
            log.exception("%s: the log failed and goes on", self.folder)

    def _drain(self) -> None:
        """Write all waiting records and the number of dropped ones.

        It maintains the segment in between, because under load the queue may never be empty.
        """
        while lines := self._next_lines():
            self._write_or_drop(lines)
            self._maintain()
        if self._unrecorded:
            self._write_or_drop([])

    def _next_lines(self) -> list[bytes]:
        """Encode the oldest records, about one megabyte."""
        lines: list[bytes] = []
        size = 0
        while self._queue and size < MAX_WRITE_BYTES:
            encoded = self._encode(*self._queue.popleft())
            lines += encoded
            size += sum(map(len, encoded))
        return lines

    def _encode(self, make: MakeLines, rows: int) -> list[bytes]:
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
            self._unrecorded += n

    def _write_or_drop(self, lines: list[bytes]) -> None:
        """Write lines, or drop them if the disk is full; log the first failure and the recovery."""
        try:
            with self._disk:
                self._write(b"".join(lines))
        except OSError as error:
            self._drop(len(lines))
            if not self._failing:
                log.error("%s: records are dropped because the log cannot be written: %s", self.folder, error)
            self._failing = True
        else:
            if self._failing:
                log.warning("%s: the log can be written again; %d records were dropped", self.folder, self.dropped)
            self._failing = False

    def _write(self, lines: bytes) -> None:
        """Write how many records were dropped since the last write, then the lines; needs the disk's lock."""
        unrecorded = self._unrecorded
        if self._segment and self._segment.is_gone():
            self._segment.close()
            self._segment = None
        self._segment = self._segment or ActiveSegment.open(self.folder)
        self._segment.write((encode_dropped(unrecorded) if unrecorded else b"") + lines)
        self._unsynced = True
        with self._counts:
            self._unrecorded -= unrecorded

    def _sync(self) -> None:
        if self._segment and self._unsynced:
            self._segment.sync()
        self._unsynced, self._synced = False, time.monotonic()

    def _maintain(self) -> None:
        """Flush new lines every second; close a segment that is large or old."""
        segment, now = self._segment, time.monotonic()
        if now - self._synced >= SYNC_SECONDS:
            with self._disk:
                self._sync()
        if segment and (segment.size >= self._most_bytes or now - segment.opened >= self._most_seconds):
            self._close_segment()

    def _close_segment(self) -> None:
        with self._disk:
            segment, self._segment = self._segment, None
            if segment:
                segment.close()
        self._compact()

    def _compact(self) -> None:
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

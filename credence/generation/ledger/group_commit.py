"""Many small writes become one transaction, and one wait for the disk."""

import logging
import queue
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from credence.generation.ledger.database import explain_sqlite_error

MAX_ROWS, MAX_SECONDS = 256, 0.01
log = logging.getLogger(__name__)
T = TypeVar("T")
WriteFn = Callable[[sqlite3.Connection], T]


@dataclass(frozen=True)
class _Job(Generic[T]):
    work: WriteFn[T]
    rows: int
    patient: bool
    done: "Future[T]"


class GroupCommit:
    """A thread that alone writes. Work that came within a hundredth of a second, or 256 rows, is committed together."""

    def __init__(
        self, database: sqlite3.Connection, file: Path, on_commit: Callable[[float, int], None] | None = None
    ) -> None:
        """`on_commit` is told the seconds and the rows of every commit."""
        self._database, self._file, self._on_commit = database, file, on_commit
        self._jobs: queue.SimpleQueue[_Job[Any] | None] = queue.SimpleQueue()
        self._closing = threading.Lock()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name=f"ledger {file.parent.name}", daemon=True)
        self._thread.start()

    def put(self, work: WriteFn[T], rows: int, *, patient: bool) -> "Future[T]":
        """Have this done in a transaction; the future is set when it is on the disk. Impatient work delays nobody."""
        done: Future[T] = Future()
        done.set_running_or_notify_cancel()  # whoever stops waiting for it does not undo it
        with self._closing:
            if self._closed:
                raise ValueError(f"{self._file}: the ledger is closed")
            self._jobs.put(_Job(work, rows, patient, done))
        return done

    def close(self) -> None:
        """Commit what waits, and end."""
        with self._closing:
            if not self._closed:
                self._closed = True
                self._jobs.put(None)
        self._thread.join()

    def _run(self) -> None:
        open_ = True
        while open_:
            jobs, open_ = self._gathered()
            if jobs:
                self._commit(jobs)

    def _gathered(self) -> tuple[list[_Job[Any]], bool]:
        """The next jobs, and whether more may come."""
        job, jobs, rows, patient = self._jobs.get(), list[_Job[Any]](), 0, True
        until = time.monotonic() + MAX_SECONDS
        while job is not None:
            jobs.append(job)
            rows, patient = rows + job.rows, patient and job.patient
            if rows >= MAX_ROWS:
                return jobs, True
            wait = until - time.monotonic() if patient else 0
            try:
                job = self._jobs.get(timeout=wait) if wait > 0 else self._jobs.get_nowait()
            except queue.Empty:
                return jobs, True
        return jobs, False

    def _commit(self, jobs: list[_Job[Any]]) -> None:
        began = time.monotonic()
        try:
            with explain_sqlite_error(self._file):
                ends = self._transaction(jobs)
        except BaseException as error:
            for job in jobs:
                job.done.set_exception(error)
            return
        self._tell(time.monotonic() - began, sum(job.rows for job in jobs))
        for end in ends:
            end()

    def _tell(self, seconds: float, rows: int) -> None:
        """A meter that fails stops no run."""
        try:
            if self._on_commit:
                self._on_commit(seconds, rows)
        except Exception:
            log.exception("%s: a commit of %d rows was not counted", self._file, rows)

    def _transaction(self, jobs: list[_Job[Any]]) -> list[Callable[[], None]]:
        """All jobs at once; returns what to tell those who wait, once the transaction is on the disk."""
        self._database.execute("begin immediate")
        try:
            ends = [self._one(job) for job in jobs]
            self._database.execute("commit")
        except BaseException:
            if self._database.in_transaction:
                self._database.execute("rollback")
            raise
        return ends

    def _one(self, job: _Job[Any]) -> Callable[[], None]:
        """A job that is wrong in itself fails alone; an error of the disk fails all, for nothing was written."""
        self._database.execute("savepoint job")
        try:
            value = job.work(self._database)
        except sqlite3.Error:
            raise
        except Exception as error:
            wrong = error
            self._database.execute("rollback to job")
            return lambda: job.done.set_exception(wrong)
        finally:
            if self._database.in_transaction:
                self._database.execute("release job")
        return lambda: job.done.set_result(value)

"""Group commit: combine many small writes into one transaction and one flush to disk."""

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
    """The only thread that writes. Work that arrives within 10 ms is committed together, up to 256 rows."""

    def __init__(
        self, database: sqlite3.Connection, file: Path, on_commit: Callable[[float, int], None] | None = None
    ) -> None:
        """Start the thread.

        Args:
            database: A connection that may write.
            file: The database file, for messages.
            on_commit: Called with the seconds and the rows of every commit.
        """
        self._database, self._file, self._on_commit = database, file, on_commit
        self._jobs: queue.SimpleQueue[_Job[Any] | None] = queue.SimpleQueue()
        self._closing = threading.Lock()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name=f"ledger {file.parent.name}", daemon=True)
        self._thread.start()

    def put(self, work: WriteFn[T], rows: int, *, patient: bool) -> "Future[T]":
        """Queue work for the next transaction.

        Args:
            work: Called with the database connection.
            rows: How many rows it writes.
            patient: Whether it may wait up to 10 ms for other work to share the flush.

        Returns:
            A future that is done when the transaction is on disk. It cannot be cancelled.

        Raises:
            ValueError: The ledger is closed.
        """
        done: Future[T] = Future()
        done.set_running_or_notify_cancel()  # cancelling the wait does not undo the work
        with self._closing:
            if self._closed:
                raise ValueError(f"{self._file}: the ledger is closed")
            self._jobs.put(_Job(work, rows, patient, done))
        return done

    def close(self) -> None:
        """Commit queued work and stop the thread."""
        with self._closing:
            if not self._closed:
                self._closed = True
                self._jobs.put(None)
        self._thread.join()

    def _run(self) -> None:
        open_ = True
        while open_:
            jobs, open_ = self._next_jobs()
            if jobs:
                self._commit(jobs)

    def _next_jobs(self) -> tuple[list[_Job[Any]], bool]:
        """Return the next jobs, and whether the queue is still open."""
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
                callbacks = self._transaction(jobs)
        except BaseException as error:
            for job in jobs:
                job.done.set_exception(error)
            return
        self._report(time.monotonic() - began, sum(job.rows for job in jobs))
        for callback in callbacks:
            callback()

    def _report(self, seconds: float, rows: int) -> None:
        """Call `on_commit`; its failure must not stop a run."""
        try:
            if self._on_commit:
                self._on_commit(seconds, rows)
        except Exception:
            log.exception("%s: a commit of %d rows was not counted", self._file, rows)

    def _transaction(self, jobs: list[_Job[Any]]) -> list[Callable[[], None]]:
        """Run all jobs in one transaction; returns callbacks that set their futures."""
        self._database.execute("begin immediate")
        try:
            callbacks = [self._run_job(job) for job in jobs]
            self._database.execute("commit")
        except BaseException:
            if self._database.in_transaction:
                self._database.execute("rollback")
            raise
        return callbacks

    def _run_job(self, job: _Job[Any]) -> Callable[[], None]:
        """Run a job in a savepoint: its own error fails it alone, an error of the database fails all jobs."""
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

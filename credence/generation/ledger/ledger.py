"""The ledger's writer. One file is cache, checkpoint and audit trail."""

import asyncio
import json
import secrets
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from credence.core.canonical_json import canonical_json, json_digest
from credence.core.errors import InputError
from credence.core.file_lock import FileLock
from credence.core.paths import state_dir
from credence.generation.ledger import database
from credence.generation.ledger.apply_entry import (
    apply_entries,
    register_slots,
    release_reservation,
    reopen_slots,
    reserve,
)
from credence.generation.ledger.group_commit import GroupCommit, WriteFn
from credence.generation.ledger.queries import LedgerReader
from credence.generation.ledger.records import ApplyResult, AttemptRecord, RejectedItem, Slot, SlotResult

T = TypeVar("T")


def ledger_folder(task: str, spec: dict[str, Any]) -> Path:
    """Return the folder of the ledger for a task and a specification, below CREDENCE_HOME."""
    return state_dir() / task / "ledger" / json_digest(spec)


class Ledger(LedgerReader):
    """A ledger opened for writing, by one process at a time.

    Records are on disk when a method returns (except `note`). A killed process loses calls in progress only.
    """

    def __init__(
        self, folder: Path, spec: dict[str, Any], *, on_commit: Callable[[float, int], None] | None = None
    ) -> None:
        """Open or create the ledger of a specification.

        Args:
            folder: The ledger's folder.
            spec: The specification, as JSON.
            on_commit: Called with the seconds and the rows of every commit.

        Raises:
            InputError: Another run is writing it, it belongs to another specification, or the disk fails.
        """
        self._lock = FileLock(folder)
        try:
            self._writing = database.connect_ledger(folder, write=True)
            try:
                self.spec_id = self._register_run(folder, spec)
                super().__init__(folder)
            except BaseException:
                self._writing.close()
                raise
        except BaseException:
            self._lock.release()
            raise
        self._failures: list[BaseException] = []
        self._commits = GroupCommit(self._writing, self.file, on_commit)

    def close(self) -> None:
        """Commit queued work and release the lock."""
        self._commits.close()
        super().close()
        self._writing.close()
        self._lock.release()
        self._raise_failure()

    def due_slots(self, slots: Iterable[Slot]) -> list[Slot]:
        """Register the slots of the run and return those that are due."""
        wanted = list(slots)
        self._put(lambda tables: register_slots(tables, wanted), len(wanted)).result()
        return self.due()

    def reopen(self) -> int:
        """Allow new attempts at slots that were given up; returns their number."""
        return self._put(reopen_slots, 1).result()

    def record(
        self,
        results: Sequence[SlotResult] = (),
        attempts: Sequence[AttemptRecord] = (),
        quarantine: Sequence[RejectedItem] = (),
    ) -> ApplyResult:
        """Record accepted rows, calls and rejected attempts in one transaction.

        Raises:
            InputError: The disk or the database fails; nothing is recorded.
        """
        return self._put(*_entries(results, attempts, quarantine)).result()

    async def record_async(
        self,
        results: Sequence[SlotResult] = (),
        attempts: Sequence[AttemptRecord] = (),
        quarantine: Sequence[RejectedItem] = (),
    ) -> ApplyResult:
        """Do as `record`, sharing the flush with concurrent calls. Cancelling does not undo it."""
        return await asyncio.wrap_future(self._put(*_entries(results, attempts, quarantine), patient=True))

    def note(self, attempt: AttemptRecord) -> None:
        """Record a call without waiting. It is on disk before anything that is recorded later.

        If it fails, the next method that writes raises the error.
        """
        noted = self._put(*_entries((), [attempt], ()), patient=True)
        noted.add_done_callback(self._remember_failure)

    def reserve(self, request_id: str, cost: int) -> str:
        """Reserve the maximum cost of a call before it is sent.

        A reservation that a killed process leaves behind counts as spent.

        Args:
            request_id: The request.
            cost: Nanodollars.

        Returns:
            The reservation's name.
        """
        name = secrets.token_hex(8)
        self._put(lambda tables: reserve(tables, name, request_id, cost), 1).result()
        return name

    async def reserve_async(self, request_id: str, cost: int) -> str:
        """Do as `reserve`, sharing the flush with concurrent calls. Cancelling releases the reservation."""
        name = secrets.token_hex(8)
        reserved = self._put(lambda tables: reserve(tables, name, request_id, cost), 1, patient=True)
        try:
            await asyncio.wrap_future(reserved)
        except asyncio.CancelledError:
            released = self._put(lambda tables: release_reservation(tables, name), 1, patient=True)
            released.add_done_callback(self._remember_failure)
            raise
        return name

    def release(self, reservation: str) -> None:
        """Release the reservation of a call that was not sent."""
        self._put(lambda tables: release_reservation(tables, reservation), 1).result()

    def _remember_failure(self, noted: "Future[Any]") -> None:
        if error := noted.exception():
            self._failures.append(error)

    def _raise_failure(self) -> None:
        if self._failures:
            error = self._failures[0]
            self._failures.clear()
            raise error

    def _put(self, work: WriteFn[T], rows: int, *, patient: bool = False) -> "Future[T]":
        self._raise_failure()
        return self._commits.put(work, rows, patient=patient)

    def _register_run(self, folder: Path, spec: dict[str, Any]) -> str:
        spec_id = json_digest(spec)
        with database.explain_sqlite_error(folder / database.DATABASE_FILE):
            row = (spec_id, canonical_json(spec).decode(), datetime.now(UTC).isoformat())
            found = self._writing.execute("select spec_id, spec from run").fetchone()
            if found is None:
                self._writing.execute("insert into run values (?, ?, ?)", row)
        if found and found[0] != spec_id:
            before = json.loads(found[1])
            other = sorted(k for k in {*before, *spec} if before.get(k) != spec.get(k))
            raise InputError(
                f"{folder}: this ledger belongs to another specification (other: {', '.join(other)}); "
                "go back to that specification, or name another folder."
            )
        return spec_id


def _entries(
    results: Sequence[SlotResult], attempts: Sequence[AttemptRecord], quarantine: Sequence[RejectedItem]
) -> tuple[WriteFn[ApplyResult], int]:
    work = partial(apply_entries, results=list(results), attempts=list(attempts), quarantine=list(quarantine))
    return work, len(results) + len(attempts) + len(quarantine)

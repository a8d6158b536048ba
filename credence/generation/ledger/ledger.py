"""The one writer of a ledger: cache, resume and audit in one file."""

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
    """Where a task's run of this specification keeps its ledger, outside of any step's temporary folder."""
    return state_dir() / task / "ledger" / json_digest(spec)


class Ledger(LedgerReader):
    """Everything is on the disk when a method returns; a kill loses calls in flight, never a record."""

    def __init__(
        self, folder: Path, spec: dict[str, Any], *, on_commit: Callable[[float, int], None] | None = None
    ) -> None:
        """Open or begin the ledger of this specification.

        Args:
            on_commit: told the seconds and the rows of every commit.

        Raises BadInput where another run writes it, where it belongs to another specification, or the disk refuses.
        """
        self._lock = FileLock(folder)
        try:
            self._writing = database.connect_ledger(folder, write=True)
            try:
                self.spec_id = self._begin(folder, spec)
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
        """Commit what waits, and let the next run write."""
        self._commits.close()
        super().close()
        self._writing.close()
        self._lock.release()
        self._tell_failure()

    def due_slots(self, slots: Iterable[Slot]) -> list[Slot]:
        """Make the slots of the run known, and return those that are due."""
        wanted = list(slots)
        self._put(lambda tables: register_slots(tables, wanted), len(wanted)).result()
        return self.due()

    def reopen(self) -> int:
        """Let the slots that were given up be tried again; how many there are."""
        return self._put(reopen_slots, 1).result()

    def record(
        self,
        results: Sequence[SlotResult] = (),
        attempts: Sequence[AttemptRecord] = (),
        quarantine: Sequence[RejectedItem] = (),
    ) -> ApplyResult:
        """Keep all of it, or none where this raises. Calls, their cost and their rows are one transaction."""
        return self._put(*_entries(results, attempts, quarantine)).result()

    async def record_async(
        self,
        results: Sequence[SlotResult] = (),
        attempts: Sequence[AttemptRecord] = (),
        quarantine: Sequence[RejectedItem] = (),
    ) -> ApplyResult:
        """The same; others that record at the same time share the wait for the disk. Cancelling does not undo it."""
        return await asyncio.wrap_future(self._put(*_entries(results, attempts, quarantine), patient=True))

    def note(self, attempt: AttemptRecord) -> None:
        """Record a call without waiting. It is on the disk before whatever is recorded later, for its row too.

        Where that fails, the next method that writes raises what happened.
        """
        noted = self._put(*_entries((), [attempt], ()), patient=True)
        noted.add_done_callback(self._remember_failure)

    def reserve(self, request_id: str, cost: int) -> str:
        """Hold the most that a call can cost, before it is made. What a kill leaves held counts as spent."""
        name = secrets.token_hex(8)
        self._put(lambda tables: reserve(tables, name, request_id, cost), 1).result()
        return name

    async def reserve_async(self, request_id: str, cost: int) -> str:
        """The same, sharing the wait for the disk. Nothing stays held where this is cancelled."""
        name = secrets.token_hex(8)
        held = self._put(lambda tables: reserve(tables, name, request_id, cost), 1, patient=True)
        try:
            await asyncio.wrap_future(held)
        except asyncio.CancelledError:
            gone = self._put(lambda tables: release_reservation(tables, name), 1, patient=True)
            gone.add_done_callback(self._remember_failure)
            raise
        return name

    def release(self, reservation: str) -> None:
        """The call was not made after all."""
        self._put(lambda tables: release_reservation(tables, reservation), 1).result()

    def _remember_failure(self, noted: "Future[Any]") -> None:
        if error := noted.exception():
            self._failures.append(error)

    def _tell_failure(self) -> None:
        if self._failures:
            error = self._failures[0]
            self._failures.clear()
            raise error

    def _put(self, work: WriteFn[T], rows: int, *, patient: bool = False) -> "Future[T]":
        self._tell_failure()
        return self._commits.put(work, rows, patient=patient)

    def _begin(self, folder: Path, spec: dict[str, Any]) -> str:
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

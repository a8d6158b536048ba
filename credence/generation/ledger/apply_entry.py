"""Apply entries to the ledger's tables, so that the data set does not depend on the order in which calls end.

If two slots have the same content, the slot with the smaller id keeps it and the other one is tried again.
This is deferred acceptance (Gale and Shapley 1962): the same attempts give the same data set in any order.
"""

import sqlite3
from collections.abc import Iterable

from credence.generation.ledger.records import (
    MAX_ATTEMPTS,
    ApplyResult,
    AttemptRecord,
    RejectedItem,
    Slot,
    SlotResult,
    compress,
)

SLOT = "select slot_id, category, label, ordinal, attempt from slot where slot_id = ?"
RESULT = """insert into result values (:slot_id, :content_id, :category, :question, :answer, :answer_verified,
    :checker_version, :source, :template, :request_id, :split, :schema_version)"""
ATTEMPT = "insert into attempt values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"


def apply_entries(
    database: sqlite3.Connection,
    results: list[SlotResult],
    attempts: list[AttemptRecord],
    quarantine: list[RejectedItem],
) -> ApplyResult:
    """Write the entries into the open transaction.

    Args:
        database: A connection with an open transaction.
        results: Accepted rows.
        attempts: Calls with their cost.
        quarantine: Rejected attempts at slots.
    """
    applied = ApplyResult()
    for attempt in attempts:
        _insert_attempt(database, attempt)
    for result in results:
        _accept(database, result, applied)
    for entry in quarantine:
        _reject(database, entry, applied)
    return applied


def register_slots(database: sqlite3.Connection, slots: Iterable[Slot]) -> None:
    """Insert the slots that are not in the table yet."""
    rows = [(s.slot_id, s.category, s.label, s.ordinal, 0, MAX_ATTEMPTS) for s in slots]
    database.executemany("insert or ignore into slot values (?, ?, ?, ?, ?, ?)", rows)


def reopen_slots(database: sqlite3.Connection) -> int:
    """Reset the attempts of slots that were given up and return their number."""
    query = "update slot set remaining = ? where remaining = 0 and slot_id not in (select slot_id from result)"
    return database.execute(query, [MAX_ATTEMPTS]).rowcount


def reserve(database: sqlite3.Connection, name: str, request_id: str, cost: int) -> None:
    """Reserve a cost in nanodollars for a call."""
    database.execute("insert into budget values (?, ?, ?)", (name, request_id, cost))


def release_reservation(database: sqlite3.Connection, name: str) -> None:
    """Delete a reservation."""
    database.execute("delete from budget where reservation = ?", [name])


def _accept(database: sqlite3.Connection, result: SlotResult, applied: ApplyResult) -> None:
    record = result.record
    if not _is_due(database, record.slot_id, result.attempt):
        applied.late.append(record.slot_id)
        return
    holder = database.execute("select slot_id from result where content_id = ?", [record.content_id]).fetchone()
    if holder and holder[0] < record.slot_id:
        _next_attempt(database, record.slot_id, applied)
        return
    if holder:
        database.execute("delete from result where slot_id = ?", holder)
        _next_attempt(database, holder[0], applied)
    database.execute(RESULT, record.model_dump())
    applied.kept.append(record.slot_id)


def _reject(database: sqlite3.Connection, entry: RejectedItem, applied: ApplyResult) -> None:
    if not _is_due(database, entry.slot_id, entry.attempt):
        applied.late.append(entry.slot_id)
        return
    row = (entry.slot_id, entry.attempt, entry.reason, entry.detail, entry.request_id)
    database.execute("insert into quarantine values (?, ?, ?, ?, ?)", row)
    if entry.final:
        database.execute("update slot set remaining = 1 where slot_id = ?", [entry.slot_id])
    _next_attempt(database, entry.slot_id, applied)


def _is_due(database: sqlite3.Connection, slot_id: str, attempt: int) -> bool:
    """Return whether the slot has no row yet and this attempt was not applied before."""
    slot = database.execute("select attempt, remaining from slot where slot_id = ?", [slot_id]).fetchone()
    if slot is None:
        raise ValueError(f"slot {slot_id} is not one of this ledger's")
    done = database.execute("select 1 from result where slot_id = ?", [slot_id]).fetchone()
    return not done and slot[0] == attempt and slot[1] > 0


def _next_attempt(database: sqlite3.Connection, slot_id: str, applied: ApplyResult) -> None:
    step = "update slot set attempt = attempt + 1, remaining = remaining - 1 where slot_id = ? returning remaining"
    remaining = database.execute(step, [slot_id]).fetchall()[0][0]
    found = database.execute(SLOT, [slot_id]).fetchone()
    slot = Slot(**dict(zip(Slot.model_fields, found, strict=True)))
    (applied.again if remaining else applied.given_up).append(slot)
    if slot_id in applied.kept:
        applied.kept.remove(slot_id)


def _insert_attempt(database: sqlite3.Connection, attempt: AttemptRecord) -> None:
    request, reply, usage = attempt.request, attempt.reply, attempt.reply.usage
    tokens = (usage.input, usage.output, usage.cached, usage.reasoning) if usage else (None,) * 4
    number = "select coalesce(max(number) + 1, 0) from attempt where request_id = ?"
    row = (
        request.id,
        database.execute(number, [request.id]).fetchone()[0],
        request.provider,
        request.model,
        request.template,
        attempt.time.isoformat(),
        reply.kind,
        reply.status,
        reply.error_type,
        reply.latency,
        *tokens,
        attempt.cost,
        attempt.slot,
        attempt.verdict,
        attempt.reason,
        compress(request, reply),
    )
    database.execute(ATTEMPT, row)
    if attempt.reservation:
        release_reservation(database, attempt.reservation)

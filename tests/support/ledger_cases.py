"""Rows, calls and a small world of contents for the tests of the ledger."""

import hashlib
from pathlib import Path
from typing import Any

from credence.generation.ledger import (
    ApplyResult,
    AttemptRecord,
    DatasetRow,
    Ledger,
    RejectedItem,
    Slot,
    SlotResult,
    slots,
)
from credence.generation.llm.messages import Reply, Request, Usage

QUOTAS = {"comparison": {"no": 4, "yes": 4}, "pattern": {"no": 4, "yes": 4}}


def spec(quotas: dict[str, dict[str, int]] = QUOTAS, **more: Any) -> dict[str, Any]:
    return {"quotas": quotas, "seed": 1, **more}


def opened(folder: Path, quotas: dict[str, dict[str, int]] = QUOTAS) -> tuple[Ledger, list[Slot]]:
    """A ledger and what is to do in it."""
    ledger = Ledger(folder, spec(quotas))
    return ledger, ledger.due_slots(slots(ledger.spec_id, quotas))


def request(text: str, **changes: Any) -> Request:
    return Request(**{"provider": "p", "model": "m", "system": "s", "user": text, "max_tokens": 9, **changes})


def reply(text: str = "yes", **changes: Any) -> Reply:
    return Reply(**{"kind": "ok", "text": text, "raw": text.encode(), "status": 200, **changes})


def record(slot: Slot, content: str, **changes: Any) -> DatasetRow:
    given = {
        "content_id": content,
        "category": slot.category,
        "question": f"Is it {content}?",
        "answer": slot.label,
        "answer_verified": True,
        "checker_version": "1",
        "source": "p/m",
        "template": "t@0",
        "slot_id": slot.slot_id,
        "request_id": asked(slot).id,
        "split": "train",
        "schema_version": 1,
    }
    return DatasetRow(**{**given, **changes})


def result(slot: Slot, content: str) -> SlotResult:
    return SlotResult(record=record(slot, content), attempt=slot.attempt)


def asked(slot: Slot) -> Request:
    """The call that an attempt at a slot makes."""
    return request(f"{slot.slot_id} {slot.attempt}")


def answered(slot: Slot, cost: int = 7) -> AttemptRecord:
    usage = Usage(input=10, output=5)
    return AttemptRecord(request=asked(slot), reply=reply(slot.label, usage=usage), cost=cost, slot=slot.slot_id)


def refused(slot: Slot, *, final: bool = False) -> RejectedItem:
    return RejectedItem(slot_id=slot.slot_id, attempt=slot.attempt, reason="grammar", detail="1 / 0", final=final)


def content(slot: Slot, contents: int) -> str | None:
    """What an attempt at a slot gives, out of a world so small that slots collide; None is an answer of no use."""
    dice = hashlib.sha256(f"{slot.slot_id} {slot.attempt}".encode()).digest()
    place = int.from_bytes(dice[:4], "big") % contents
    return None if dice[4] < 16 else f"{slot.category}/{slot.label}/{place}"


def settle(ledger: Ledger, slot: Slot, contents: int) -> ApplyResult:
    """Make one attempt at a slot and record all of it."""
    found = content(slot, contents)
    if found is None:
        return ledger.record(attempts=[answered(slot)], quarantine=[refused(slot)])
    return ledger.record([result(slot, found)], [answered(slot)])


def fill(ledger: Ledger, contents: int) -> None:
    """Try, one after another, until nothing is due."""
    while due := ledger.due():
        for slot in due:
            settle(ledger, slot, contents)

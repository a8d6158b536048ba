"""What goes into a ledger and what it says back."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Self, cast

import pyarrow as pa
from pydantic import Field

from credence.core.canonical_json import json_digest
from credence.core.registry import StrictModel
from credence.generation.llm import work_item
from credence.generation.llm.messages import Reply, Request

CODEC = pa.Codec("zstd")
LENGTH = 4


def compress(request: Request, reply: Reply) -> bytes:
    """Both, behind the length that they have unpacked."""
    text = json.dumps({"request": request.model_dump(), "reply": reply.model_dump(mode="json")}).encode()
    return len(text).to_bytes(LENGTH, "big") + cast(bytes, CODEC.compress(text, asbytes=True))


def decompress(exchange: bytes) -> tuple[Request, Reply]:
    """Both again."""
    length = int.from_bytes(exchange[:LENGTH], "big")
    found = json.loads(cast(bytes, CODEC.decompress(exchange[LENGTH:], length, asbytes=True)))
    return Request(**found["request"]), Reply.model_validate_json(json.dumps(found["reply"]))


MAX_ATTEMPTS = 20


class Slot(StrictModel):
    """A place in the data set that wants one row; `attempt` says which try at filling it is due."""

    slot_id: str
    category: str
    label: str
    ordinal: int = Field(ge=0)
    attempt: int = Field(0, ge=0)


def slots(spec_id: str, quotas: Mapping[str, Mapping[str, int]]) -> list[Slot]:
    """The places of a run, known before any call, the labels and categories in turn.

    Args:
        quotas: category -> label -> how many rows.
    """
    wanted = [(i, c, label) for c, labels in quotas.items() for label, most in labels.items() for i in range(most)]
    return [
        Slot(slot_id=json_digest([spec_id, c, label, i]), category=c, label=label, ordinal=i)
        for i, c, label in sorted(wanted)
    ]


class DatasetRow(StrictModel):
    """One row of the data set, in the order of its columns. Nothing in it depends on when or how often was asked."""

    content_id: str
    category: str
    question: str
    answer: str
    answer_verified: bool
    checker_version: str
    source: str
    template: str
    request_id: str
    slot_id: str
    split: str
    schema_version: int


class SlotResult(StrictModel):
    """A row that was accepted, for that attempt at its slot."""

    record: DatasetRow
    attempt: int = Field(ge=0)


class AttemptRecord(StrictModel):
    """One call, what it was for and what was decided of it. `cost` is in nanodollars; `reserve` gave `reservation`."""

    request: Request
    reply: Reply
    cost: int = Field(0, ge=0)
    slot: str = ""
    verdict: str = ""
    reason: str = ""
    reservation: str | None = None
    time: datetime = Field(default_factory=lambda: datetime.now(UTC))

    @classmethod
    def of(cls, made: work_item.CallAttempt) -> Self:
        """The call as the dispatcher tells of it."""
        about = {"slot": made.slot, "verdict": str(made.verdict.value), "reason": made.reason}
        return cls(request=made.request, reply=made.reply, cost=made.cost, reservation=made.reservation, **about)


class RejectedItem(StrictModel):
    """An attempt at a slot that gave no row, and why. After a `final` one the slot is not tried again."""

    slot_id: str
    attempt: int = Field(ge=0)
    reason: str
    detail: str = ""
    request_id: str = ""
    final: bool = False


@dataclass
class ApplyResult:
    """What became of the entries: slots with a row now, slots to try again, slots given up, and what came too late."""

    kept: list[str] = field(default_factory=list)
    again: list[Slot] = field(default_factory=list)
    given_up: list[Slot] = field(default_factory=list)
    late: list[str] = field(default_factory=list)


class Spending(StrictModel):
    """Nanodollars: what answered calls cost, and what is held for calls whose end nobody knows yet."""

    settled: int
    reserved: int

    @property
    def total(self) -> int:
        """What the budget has to count."""
        return self.settled + self.reserved

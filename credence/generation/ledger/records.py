"""Records of the ledger: slots, dataset rows, calls, rejected items, spending."""

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
    """Compress request and reply: 4 bytes with the uncompressed length, then JSON in zstd."""
    text = json.dumps({"request": request.model_dump(), "reply": reply.model_dump(mode="json")}).encode()
    return len(text).to_bytes(LENGTH, "big") + cast(bytes, CODEC.compress(text, asbytes=True))


def decompress(exchange: bytes) -> tuple[Request, Reply]:
    """Restore what `compress` packed."""
    length = int.from_bytes(exchange[:LENGTH], "big")
    found = json.loads(cast(bytes, CODEC.decompress(exchange[LENGTH:], length, asbytes=True)))
    return Request(**found["request"]), Reply.model_validate_json(json.dumps(found["reply"]))


MAX_ATTEMPTS = 20


class Slot(StrictModel):
    """A position in the data set to be filled with one row; `attempt` is the try that is due, from 0."""

    slot_id: str
    category: str
    label: str
    ordinal: int = Field(ge=0)
    attempt: int = Field(0, ge=0)


def slots(spec_id: str, quotas: Mapping[str, Mapping[str, int]]) -> list[Slot]:
    """List the slots of a run, alternating between categories and labels.

    Args:
        spec_id: The id of the run's specification.
        quotas: Number of rows for each category and label.
    """
    wanted = [(i, c, label) for c, labels in quotas.items() for label, most in labels.items() for i in range(most)]
    return [
        Slot(slot_id=json_digest([spec_id, c, label, i]), category=c, label=label, ordinal=i)
        for i, c, label in sorted(wanted)
    ]


class DatasetRow(StrictModel):
    """One row of the data set; its fields are the columns in order. None depends on the time or number of calls."""

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
    """A row accepted at one attempt at its slot."""

    record: DatasetRow
    attempt: int = Field(ge=0)


class AttemptRecord(StrictModel):
    """One call and its outcome.

    Attributes:
        request: What was sent.
        reply: What came back.
        cost: Nanodollars charged.
        slot: The slot or batch that it was for.
        verdict: What was decided, a value of `ReplyAction`.
        reason: Why, as a word of a closed set.
        reservation: Name of the reservation that the cost settles.
        time: When it ended, in UTC.
    """

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
        """Convert the dispatcher's description of a call."""
        about = {"slot": made.slot, "verdict": str(made.verdict.value), "reason": made.reason}
        return cls(request=made.request, reply=made.reply, cost=made.cost, reservation=made.reservation, **about)


class RejectedItem(StrictModel):
    """An attempt at a slot that gave no row, with the reason. After a `final` one the slot is given up."""

    slot_id: str
    attempt: int = Field(ge=0)
    reason: str
    detail: str = ""
    request_id: str = ""
    final: bool = False


@dataclass
class ApplyResult:
    """The effect of entries on slots.

    Attributes:
        kept: Ids of slots that have a row now.
        again: Slots to try again, also those displaced by a duplicate.
        given_up: Slots without attempts left.
        late: Ids of slots whose entry was ignored, because the attempt was not due.
    """

    kept: list[str] = field(default_factory=list)
    again: list[Slot] = field(default_factory=list)
    given_up: list[Slot] = field(default_factory=list)
    late: list[str] = field(default_factory=list)


class Spending(StrictModel):
    """Nanodollars charged for completed calls, and reserved for calls whose outcome is unknown."""

    settled: int
    reserved: int

    @property
    def total(self) -> int:
        """Return the sum, which counts against the budget."""
        return self.settled + self.reserved

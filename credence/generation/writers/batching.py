"""Group slots into batches of one call. Batches depend on the slots only, so a continued run repeats its requests."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import groupby

from credence.generation.ledger import LedgerReader, Slot
from credence.generation.llm.work_item import FailureCounts
from credence.generation.writers.reply_parsing import REJECT_REASONS

RejectedItems = Mapping[tuple[str, int], str]
Key = tuple[str | int, ...]


@dataclass(eq=False)
class SlotBatch:
    """Slots of one category, label and attempt, to be filled by one call.

    Attributes:
        slots: The slots.
        tallies: Failures counted for its requests (by id) before they were deferred.
    """

    slots: tuple[Slot, ...]
    tallies: dict[str, FailureCounts] = field(default_factory=dict)

    @property
    def category(self) -> str:
        """Return the category of all its slots."""
        return self.slots[0].category

    @property
    def label(self) -> str:
        """Return the label of all its slots."""
        return self.slots[0].label


def make_batches(due: Iterable[Slot], size: int, refused: RejectedItems) -> list[SlotBatch]:
    """Group slots into batches.

    First attempts are grouped by ordinal. Slots whose items one call got wrong stay together. Others are alone.

    Args:
        due: The slots.
        size: Maximum number of slots in a batch.
        refused: The request whose item was rejected, by slot id and attempt.
    """

    def key(slot: Slot) -> Key:
        if slot.attempt == 0:
            return slot.ordinal // size, slot.category, slot.label
        together = refused.get((slot.slot_id, slot.attempt - 1), slot.slot_id)
        return slot.ordinal // size, slot.category, slot.label, slot.attempt, together

    slots = sorted(due, key=lambda slot: (key(slot)[:3], slot.attempt, key(slot)[-1], slot.ordinal))
    return [SlotBatch(tuple(group)) for _, group in groupby(slots, key)]


def rejected_items(reader: LedgerReader) -> RejectedItems:
    """Map slot id and attempt of rejected items to the request, as `make_batches` takes it."""
    rows = reader.quarantined().select(["slot_id", "attempt", "reason", "request_id"]).to_pylist()
    return {(r["slot_id"], r["attempt"]): r["request_id"] for r in rows if r["reason"] in REJECT_REASONS}

"""Which slots share a call. It follows from the slots alone, so that a run that goes on asks what was asked before."""

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
    """Slots of one category, label and attempt that one call shall fill.

    `tallies`: what was counted against its requests before it was put off.
    """

    slots: tuple[Slot, ...]
    tallies: dict[str, FailureCounts] = field(default_factory=dict)

    @property
    def category(self) -> str:
        """The category of all its slots."""
        return self.slots[0].category

    @property
    def label(self) -> str:
        """The label of all its slots."""
        return self.slots[0].label


def make_batches(due: Iterable[Slot], size: int, refused: RejectedItems) -> list[SlotBatch]:
    """First attempts by their place in the plan, what one call failed to fill together, and every other slot alone.

    Args:
        refused: (slot, attempt) -> the call whose item for it was not accepted.
    """

    def key(slot: Slot) -> Key:
        if slot.attempt == 0:
            return slot.ordinal // size, slot.category, slot.label
        together = refused.get((slot.slot_id, slot.attempt - 1), slot.slot_id)
        return slot.ordinal // size, slot.category, slot.label, slot.attempt, together

    slots = sorted(due, key=lambda slot: (key(slot)[:3], slot.attempt, key(slot)[-1], slot.ordinal))
    return [SlotBatch(tuple(group)) for _, group in groupby(slots, key)]


def rejected_items(reader: LedgerReader) -> RejectedItems:
    """The items in quarantine, as `make_batches` wants them."""
    rows = reader.quarantined().select(["slot_id", "attempt", "reason", "request_id"]).to_pylist()
    return {(r["slot_id"], r["attempt"]): r["request_id"] for r in rows if r["reason"] in REJECT_REASONS}

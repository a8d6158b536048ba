"""What every writer does: fill the slots of a pack with rows, or say of each why it stays empty."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from credence.core.hashing import stable_hash
from credence.data.split import Split
from credence.generation.arithmetic.normalization import SCHEMA_VERSION, content_id
from credence.generation.ledger import DatasetRow, RejectedItem, Slot, SlotResult
from credence.generation.llm.messages import Request
from credence.generation.writers.batching import SlotBatch
from credence.generation.writers.cached_calls import LlmAnswer, ParseReply

CallFn = Callable[[Sequence[Request], ParseReply, SlotBatch], Awaitable[LlmAnswer]]
Named = tuple[str, str]
WrittenBatch = list[SlotResult | RejectedItem]
# A reply of Claude has no more.
MAX_REPLY_TOKENS = 4096


class RowWriter(Protocol):
    """A kind of rows.

    templates: the prompts with their digests. size: how many slots share a call. failover: whether any provider may
    answer in another's place.
    """

    templates: list[str]
    size: int
    failover: bool

    async def write(self, pack: SlotBatch, turns: Sequence[Named], ask: CallFn) -> WrittenBatch:
        """One entry for every slot of the pack. Raises what `ask` raises.

        Args:
            turns: name and model of all providers, the one that has time now first.
        """

    def foreseen(self, pack: SlotBatch, turns: Sequence[Named]) -> list[Request]:
        """The calls that a pack takes where nothing goes wrong, at their longest."""


def make_row(
    slot: Slot, question: str, answered: LlmAnswer, template: str, checker: str, *, verified: bool
) -> SlotResult:
    """A row for the data set."""
    content, request = content_id(slot.category, question), answered.request
    record = DatasetRow(
        content_id=content,
        category=slot.category,
        question=question,
        answer=slot.label,
        answer_verified=verified,
        checker_version=checker,
        source=f"{request.provider}/{request.model}",
        template=template,
        request_id=request.id,
        slot_id=slot.slot_id,
        split=part_of_slot(content),
        schema_version=SCHEMA_VERSION,
    )
    return SlotResult(record=record, attempt=slot.attempt)


def part_of_slot(key: str) -> str:
    """The part that training deals this key to, where the task says nothing else."""
    place, split = int(stable_hash(key), 16) / 2**64, Split()
    return "test" if place < split.test else "calibration" if place < split.test + split.calibration else "train"

"""Interface of writers, which fill the slots of a batch with rows or give the reason why not."""

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
# Maximum of the Anthropic provider.
MAX_REPLY_TOKENS = 4096


class RowWriter(Protocol):
    """Writes rows of one kind.

    Attributes:
        templates: Ids of its prompts.
        size: Maximum number of slots in one call.
        failover: Whether any provider may replace another one.
    """

    templates: list[str]
    size: int
    failover: bool

    async def write(self, batch: SlotBatch, turns: Sequence[Named], ask: CallFn) -> WrittenBatch:
        """Write the rows of a batch. Raises what `ask` raises.

        Args:
            batch: The slots.
            turns: Name and model of all providers, by preference.
            ask: Makes a call.

        Returns:
            One entry for each slot.
        """

    def foreseen(self, batch: SlotBatch, turns: Sequence[Named]) -> list[Request]:
        """List the requests of a batch without any failure, at their maximum length."""


def make_row(
    slot: Slot, question: str, answered: LlmAnswer, template: str, checker: str, *, verified: bool
) -> SlotResult:
    """Build the data set's row for an accepted item.

    Args:
        slot: Its slot.
        question: Its text.
        answered: The reply that held it.
        template: The prompt's id.
        checker: Name and version of the check that accepted it.
        verified: Whether its label was computed rather than agreed on.
    """
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
    """Return the part (train, calibration or test) that the default split assigns to this content id."""
    place, split = int(stable_hash(key), 16) / 2**64, Split()
    return "test" if place < split.test else "calibration" if place < split.test + split.calibration else "train"

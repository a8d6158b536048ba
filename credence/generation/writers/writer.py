"""What every writer does: fill the slots of a pack with rows, or say of each why it stays empty."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from credence.core.hashing import hash_of
from credence.data.split import Split
from credence.generation.arithmetic.normalization import SCHEMA_VERSION, content_id
from credence.generation.ledger import Quarantined, Record, Result, Slot
from credence.generation.llm.messages import Request
from credence.generation.writers.batching import Pack
from credence.generation.writers.cached_calls import Answered, Read

Ask = Callable[[Sequence[Request], Read, Pack], Awaitable[Answered]]
Named = tuple[str, str]
Written = list[Result | Quarantined]
# A reply of Claude has no more.
LONGEST_REPLY = 4096


class Writer(Protocol):
    """A kind of rows.

    templates: the prompts with their digests. size: how many slots share a call. failover: whether any provider may
    answer in another's place.
    """

    templates: list[str]
    size: int
    failover: bool

    async def write(self, pack: Pack, turns: Sequence[Named], ask: Ask) -> Written:
        """One entry for every slot of the pack. Raises what `ask` raises.

        Args:
            turns: name and model of all providers, the one that has time now first.
        """

    def foreseen(self, pack: Pack, turns: Sequence[Named]) -> list[Request]:
        """The calls that a pack takes where nothing goes wrong, at their longest."""


def filled(slot: Slot, question: str, answered: Answered, template: str, checker: str, *, verified: bool) -> Result:
    """A row for the data set."""
    content, request = content_id(slot.category, question), answered.request
    record = Record(
        content_id=content, category=slot.category, question=question, answer=slot.label, answer_verified=verified,
        checker_version=checker, source=f"{request.provider}/{request.model}", template=template,
        request_id=request.id, slot_id=slot.slot_id, split=part_of(content), schema_version=SCHEMA_VERSION,
    )  # fmt: skip
    return Result(record=record, attempt=slot.attempt)


def part_of(key: str) -> str:
    """The part that training deals this key to, where the task says nothing else."""
    place, split = int(hash_of(key), 16) / 2**64, Split()
    return "test" if place < split.test else "calibration" if place < split.test + split.calibration else "train"

"""Write arithmetic statements; a row is accepted if independent code computes the claimed truth from its text."""

from collections.abc import Sequence
from itertools import zip_longest
from typing import Any

from pydantic import ConfigDict, ValidationError

from credence.generation.arithmetic import Statement, check_statement
from credence.generation.ledger import RejectedItem, Slot, SlotResult
from credence.generation.llm.messages import Request
from credence.generation.writers.batching import SlotBatch
from credence.generation.writers.cached_calls import LlmAnswer
from credence.generation.writers.prompts import load_prompt
from credence.generation.writers.reply_parsing import parse_reply_list, reject
from credence.generation.writers.writer import MAX_REPLY_TOKENS, CallFn, Named, WrittenBatch, make_row

CHECKER = "arithmetic/1"


class _Exact(Statement):
    """A statement validated strictly: no conversion of numbers to text or of 1 to true."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Statements:
    """Writes arithmetic statements. Labels come from the checker, never from the model's answer."""

    failover = True

    def __init__(self, items_per_call: int) -> None:
        self._template = load_prompt("arithmetic")
        self.templates = [self._template.id]
        self.size = min(items_per_call, MAX_REPLY_TOKENS // self._template.max_tokens)

    async def write(self, batch: SlotBatch, turns: Sequence[Named], ask: CallFn) -> WrittenBatch:
        """Get statements from one call and check each.

        Raises:
            Deferred: No provider can take the request now.
            NoAnswer: Another attempt would not help.
            RunStopped: No provider or no money is left.
        """
        answered = await ask([self._request(batch, who) for who in turns], _items, batch)
        items = answered.value[: len(batch.slots)]
        return [self._checked(slot, item, answered) for slot, item in zip_longest(batch.slots, items)]

    def foreseen(self, batch: SlotBatch, turns: Sequence[Named]) -> list[Request]:
        """Return the one request of a batch."""
        return [self._request(batch, turns[0])]

    def _request(self, batch: SlotBatch, who: Named) -> Request:
        slots = [
            {"category": s.category, "label": s.label == "yes", "ordinal": s.ordinal, "attempt": s.attempt}
            for s in batch.slots
        ]
        return Request(
            provider=who[0],
            model=who[1],
            system=self._template.system_message(),
            user=self._template.user_message(slots=slots),
            schema_=self._template.schema_,
            max_tokens=self._template.max_tokens * len(slots),
            template=self._template.id,
        )

    def _checked(self, slot: Slot, item: Statement | None, answered: LlmAnswer) -> SlotResult | RejectedItem:
        if item is None:
            return reject(slot, "missing", answered.request.id)
        if reason := reject_reason(slot, item):
            return reject(slot, reason, answered.request.id, item.question)
        return make_row(slot, item.question, answered, self._template.id, CHECKER, verified=True)


def reject_reason(slot: Slot, item: Statement) -> str:
    """Return why an item may not fill a slot (a key of `REJECT_REASONS`); empty if it may."""
    found = check_statement(item.question)
    if found is None:
        return "grammar"
    if not found.category == item.category == slot.category:
        return "category"
    if found.claim != item.claim:
        return "claim"
    if found.truth != item.answer:
        return "answer"
    return "" if found.truth == (slot.label == "yes") else "label"


def _items(text: str) -> list[Statement | None]:
    return [_item(entry) for entry in parse_reply_list(text, "items")]


def _item(entry: Any) -> Statement | None:
    try:
        return _Exact.model_validate(entry)
    except ValidationError:
        return None

"""Statements of arithmetic: taken only if their text, worked out by a program of its own, says what is claimed."""

from collections.abc import Sequence
from itertools import zip_longest
from typing import Any

from pydantic import ConfigDict, ValidationError

from credence.generation.arithmetic import Item, check
from credence.generation.ledger import Quarantined, Result, Slot
from credence.generation.llm.messages import Request
from credence.generation.writers.batching import Pack
from credence.generation.writers.cached_calls import Answered
from credence.generation.writers.prompts import read
from credence.generation.writers.reply_parsing import entries, refusal
from credence.generation.writers.writer import LONGEST_REPLY, Ask, Named, Written, filled

CHECKER = "arithmetic/1"


class _Exact(Item):
    """An item as it must be spelled: a number is no text, and a 1 is not true."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Statements:
    """The model's answer never sets a label: the row's label is what the program finds."""

    failover = True

    def __init__(self, items_per_call: int) -> None:
        self._template = read("arithmetic")
        self.templates = [self._template.id]
        self.size = min(items_per_call, LONGEST_REPLY // self._template.max_tokens)

    async def write(self, pack: Pack, turns: Sequence[Named], ask: Ask) -> Written:
        """The statements of one call, each checked."""
        answered = await ask([self._request(pack, who) for who in turns], _items, pack)
        said = answered.value[: len(pack.slots)]
        return [self._judged(slot, item, answered) for slot, item in zip_longest(pack.slots, said)]

    def foreseen(self, pack: Pack, turns: Sequence[Named]) -> list[Request]:
        """One call."""
        return [self._request(pack, turns[0])]

    def _request(self, pack: Pack, who: Named) -> Request:
        slots = [
            {"category": s.category, "label": s.label == "yes", "ordinal": s.ordinal, "attempt": s.attempt}
            for s in pack.slots
        ]
        return Request(
            provider=who[0], model=who[1], system=self._template.system_message(),
            user=self._template.user_message(slots=slots), schema_=self._template.schema_,
            max_tokens=self._template.max_tokens * len(slots), template=self._template.id,
        )  # fmt: skip

    def _judged(self, slot: Slot, item: Item | None, answered: Answered) -> Result | Quarantined:
        if item is None:
            return refusal(slot, "missing", answered.request.id)
        if reason := wrong(slot, item):
            return refusal(slot, reason, answered.request.id, item.question)
        return filled(slot, item.question, answered, self._template.id, CHECKER, verified=True)


def wrong(slot: Slot, item: Item) -> str:
    """Why an item may not fill a slot; nothing where it may."""
    found = check(item.question)
    if found is None:
        return "grammar"
    if not found.category == item.category == slot.category:
        return "category"
    if found.claim != item.claim:
        return "claim"
    if found.truth != item.answer:
        return "answer"
    return "" if found.truth == (slot.label == "yes") else "label"


def _items(text: str) -> list[Item | None]:
    return [_item(entry) for entry in entries(text, "items")]


def _item(entry: Any) -> Item | None:
    try:
        return _Exact.model_validate(entry)
    except ValidationError:
        return None

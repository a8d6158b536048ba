"""Arithmetic statements without a language model: no key, no network, deterministic replies."""

import json
from typing import Any

from pydantic import ConfigDict, Field, ValidationError

from credence.core.errors import InputError
from credence.core.registry import StrictModel
from credence.generation.arithmetic import propose_statement
from credence.generation.llm.messages import Reply, Request, Usage
from credence.generation.llm.provider import Provider, RateLimits


class _Slot(StrictModel):
    """One requested item."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
    category: str
    label: bool
    ordinal: int = Field(ge=0)
    attempt: int = Field(0, ge=0)


class Offline(Provider):
    """Answers a user message that contains slots as JSON objects, with any text around them."""

    name: str = Field("offline", min_length=1)
    model: str = "arithmetic"
    key_env: None = None
    limits: RateLimits = RateLimits(rpm=None)
    seed: int = 0

    async def complete(self, request: Request) -> Reply:
        """Propose one statement for each slot in the message.

        Raises:
            InputError: The message contains no slot.
        """
        text = json.dumps(
            {"items": [self._item(slot, request.sample) for slot in _slots(request.user)]}, sort_keys=True
        )
        usage = Usage(input=0, output=0)
        return Reply(kind="ok", text=text, raw=text.encode(), usage=usage, provider_id=f"offline-{request.id}")

    def _item(self, slot: _Slot, sample: int) -> dict[str, Any]:
        return propose_statement(self.seed + sample, slot.category, slot.label, slot.ordinal, slot.attempt).model_dump()


def _slots(message: str) -> list[_Slot]:
    found, place, decoder = [], message.find("{"), json.JSONDecoder()
    while place >= 0:
        try:
            value, end = decoder.raw_decode(message, place)
            found.append(_Slot.model_validate(value))
        except (ValidationError, ValueError, RecursionError):
            end = place + 1
        place = message.find("{", end)
    if not found:
        raise InputError(
            "the offline provider writes statements of arithmetic, and this request asks for none; its message must "
            "hold an object with category, label (true or false), ordinal and attempt, or use a provider with a key."
        )
    return found

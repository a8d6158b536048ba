"""Parse the text of a reply as JSON. A surrounding code fence is removed; nothing else is repaired."""

import json
import re
from typing import Any, NoReturn

from credence.generation.ledger import RejectedItem, Slot
from credence.generation.llm.retry import UnusableReply

REJECT_REASONS = {
    "grammar": "the text cannot be read",
    "category": "of another category than asked",
    "claim": "its parts are not what the text says",
    "answer": "the model's own answer is wrong",
    "label": "right, but of the other label",
    "missing": "no item in the form asked for came for this place",
    "blank": "no text",
    "copied": "a copy of a text that was shown",
    "unclear": "another model could not tell the label",
    "disagreement": "another model gave another label",
}
MAX_DETAIL_CHARACTERS = 200


def reject(slot: Slot, reason: str, request_id: str, detail: str = "") -> RejectedItem:
    """Record an item that was not accepted; its slot is tried again.

    Args:
        slot: The slot.
        reason: A key of `REJECT_REASONS`.
        request_id: The request whose reply held the item.
        detail: The item's text; 200 characters are kept.
    """
    shown = detail[:MAX_DETAIL_CHARACTERS].encode("utf-8", "replace").decode()
    return RejectedItem(slot_id=slot.slot_id, attempt=slot.attempt, reason=reason, detail=shown, request_id=request_id)


FENCED = re.compile(r"\s*```(?:json)?[ \t]*\n(.*?)\n?```\s*", re.DOTALL)


def parse_reply_list(text: str, key: str) -> list[Any]:
    """Parse {"<key>": [...]} and return the list.

    Raises:
        UnusableReply: "json" if the text is not JSON, "schema" if it is another value.
    """
    if fenced := FENCED.fullmatch(text):
        text = fenced[1]
    try:
        value = json.loads(text, parse_constant=_refuse, object_pairs_hook=_once)
    except (ValueError, RecursionError):
        raise UnusableReply("json") from None
    if not isinstance(value, dict) or set(value) != {key} or not isinstance(value[key], list):
        raise UnusableReply("schema")
    return list(value[key])


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key stands twice")
    return found

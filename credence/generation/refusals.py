"""Why an item that was read is not taken: a closed set, for records, meters and the report."""

from credence.ledger import Quarantined, Slot

OF_ITEMS = {
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
DETAIL = 200


def refusal(slot: Slot, reason: str, request_id: str, detail: str = "") -> Quarantined:
    """An item that was not taken; the slot is tried again."""
    shown = detail[:DETAIL].encode("utf-8", "replace").decode()
    return Quarantined(slot_id=slot.slot_id, attempt=slot.attempt, reason=reason, detail=shown, request_id=request_id)

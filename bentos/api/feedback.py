"""POST /feedback: what turned out to be true, one answer at a time or many."""

from typing import Any

from pydantic import BaseModel, Field
from pydantic_core import from_json

from bentos.schema.json_values import shown
from bentos.schema.models import MOST_ROWS, Body
from bentos.schema.request_errors import BadRequest
from credence.core.errors import did_you_mean
from credence.core.hashing import plain
from credence.data.prediction_log.schema import Record, feedback

FIELDS = ("request_id", "row", "label")
LONGEST_ID = 64
FLAGS = {"0": 0, "false": 0, "1": 1, "true": 1}


class Truth(Body):
    """What was true of one answered row; or `feedback`, a list of such."""

    request_id: str = Field("", description="the X-Request-ID of the answer")
    row: int = Field(0, description="its place in the request; 0 for /predict")
    label: Any = Field(None, description="one of the task's two answers; 0 and false are no, 1 and true are yes")
    feedback: list[dict[str, Any]] | None = Field(None, description=f"up to {MOST_ROWS:,} of them instead of one")


class Recorded(BaseModel):
    """How many truths are on disk now."""

    recorded: int


def truths(body: bytes, answers: tuple[str, str]) -> list[Record]:
    """The records that a body stands for. Raises BadRequest with one sentence about the first mistake."""
    try:
        given = from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise BadRequest(f"the body is not JSON: {error}.") from None
    if not isinstance(given, dict):
        raise BadRequest(f"the body is {shown(given)}; expected an object with request_id and label.")
    if "feedback" not in given:
        return [_truth(given, answers, "")]
    if len(given) > 1:
        raise BadRequest("expected either feedback or request_id with label, and not both.")
    return [_truth(one, answers, f"feedback[{i}]") for i, one in enumerate(_list(given["feedback"]))]


def _list(given: Any) -> list[Any]:
    if not isinstance(given, list):
        raise BadRequest(f"field 'feedback' is {shown(given)}; expected a list.", "feedback")
    if not 1 <= len(given) <= MOST_ROWS:
        raise BadRequest(f"field 'feedback' holds {len(given)} truths; expected 1 to {MOST_ROWS:,}.", "feedback")
    return given


def _truth(given: Any, answers: tuple[str, str], place: str) -> Record:
    where = f"{place}, " if place else ""
    if not isinstance(given, dict):
        raise BadRequest(f"{place} is {shown(given)}; expected an object with request_id and label.", place)
    for name in given:
        if name not in FIELDS:
            raise BadRequest(
                f"{where}field {name[:80]!r} is not known. {did_you_mean(name[:80], FIELDS)}", place or name
            )
    for name in ("request_id", "label"):
        if name not in given:
            raise BadRequest(f"{where}field {name!r} is missing; it has to be given.", f"{place}.{name}".strip("."))
    return feedback(_id(given["request_id"], where), _label(given["label"], answers, where), _row(given, where))


def _id(value: Any, where: str) -> str:
    if not isinstance(value, str) or not 1 <= len(value) <= LONGEST_ID:
        expected = f"expected the X-Request-ID of an answer, at most {LONGEST_ID} characters"
        raise BadRequest(f"{where}field 'request_id' is {shown(value)}; {expected}.", "request_id")
    return value


def _row(given: dict[str, Any], where: str) -> int:
    row = given.get("row", 0)
    if isinstance(row, bool) or not isinstance(row, int) or not 0 <= row < MOST_ROWS:
        raise BadRequest(f"{where}field 'row' is {shown(row)}; expected its place in the request, from 0.", "row")
    return row


def _label(value: Any, answers: tuple[str, str], where: str) -> str:
    word = plain(value) if isinstance(value, str) or _is_small(value) else ""
    if word in answers:
        return word
    if word.lower() in FLAGS:
        return answers[FLAGS[word.lower()]]
    hint = did_you_mean(word[:LONGEST_ID], answers)
    raise BadRequest(f"{where}field 'label' is {shown(value)}, which is no answer of this task. {hint}", "label")


def _is_small(value: Any) -> bool:
    return isinstance(value, (int, float)) and abs(value) < 1e15

"""POST /feedback: parse true labels of answered rows, one at a time or many."""

from typing import Any

from pydantic import BaseModel, Field
from pydantic_core import from_json

from bentos.schema.json_values import quote
from bentos.schema.models import MAX_ROWS, JsonBody
from bentos.schema.request_errors import InvalidRequest
from credence.core.errors import did_you_mean
from credence.core.hashing import canonical_value
from credence.data.prediction_log.schema import LogRecord, feedback_record

FIELDS = ("request_id", "row", "label")
MAX_ID_LENGTH = 64
FLAGS = {"0": 0, "false": 0, "1": 1, "true": 1}


class Feedback(JsonBody):
    """The true label of one answered row, or a list of such objects under `feedback`."""

    request_id: str = Field("", description="the X-Request-ID of the answer")
    row: int = Field(0, description="the row's position in the request, from 0; 0 for /predict")
    label: Any = Field(None, description="one of the task's two answers; 0 and false are no, 1 and true are yes")
    feedback: list[dict[str, Any]] | None = Field(None, description=f"1 to {MAX_ROWS:,} such objects, instead of one")


class FeedbackCount(BaseModel):
    """The number of labels that this request stored on disk."""

    recorded: int


def parse_feedback(body: bytes, answers: tuple[str, str]) -> list[LogRecord]:
    """Parse the body of a feedback request.

    Args:
        body: JSON, either one object or `{"feedback": [...]}` with 1 to 10,000 objects.
        answers: The task's two answers, no and yes.

    Returns:
        One log record per label.

    Raises:
        InvalidRequest: The body cannot be used; the message describes the first mistake.
    """
    try:
        given = from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise InvalidRequest(f"the body is not JSON: {error}.") from None
    if not isinstance(given, dict):
        raise InvalidRequest(f"the body is {quote(given)}; expected an object with request_id and label.")
    if "feedback" not in given:
        return [_record(given, answers, "")]
    if len(given) > 1:
        raise InvalidRequest("expected either feedback or request_id with label, and not both.")
    return [_record(one, answers, f"feedback[{i}]") for i, one in enumerate(_feedback_list(given["feedback"]))]


def _feedback_list(given: Any) -> list[Any]:
    if not isinstance(given, list):
        raise InvalidRequest(f"field 'feedback' is {quote(given)}; expected a list.", "feedback")
    if not 1 <= len(given) <= MAX_ROWS:
        raise InvalidRequest(f"field 'feedback' holds {len(given)} truths; expected 1 to {MAX_ROWS:,}.", "feedback")
    return given


def _record(given: Any, answers: tuple[str, str], place: str) -> LogRecord:
    where = f"{place}, " if place else ""
    if not isinstance(given, dict):
        raise InvalidRequest(f"{place} is {quote(given)}; expected an object with request_id and label.", place)
    for name in given:
        if name not in FIELDS:
            raise InvalidRequest(
                f"{where}field {name[:80]!r} is not known. {did_you_mean(name[:80], FIELDS)}", place or name
            )
    for name in ("request_id", "label"):
        if name not in given:
            raise InvalidRequest(f"{where}field {name!r} is missing; it has to be given.", f"{place}.{name}".strip("."))
    label = _label(given["label"], answers, where)
    return feedback_record(_request_id(given["request_id"], where), label, _row(given, where))


def _request_id(value: Any, where: str) -> str:
    if not isinstance(value, str) or not 1 <= len(value) <= MAX_ID_LENGTH:
        expected = f"expected the X-Request-ID of an answer, at most {MAX_ID_LENGTH} characters"
        raise InvalidRequest(f"{where}field 'request_id' is {quote(value)}; {expected}.", "request_id")
    return value


def _row(given: dict[str, Any], where: str) -> int:
    row = given.get("row", 0)
    if isinstance(row, bool) or not isinstance(row, int) or not 0 <= row < MAX_ROWS:
        raise InvalidRequest(f"{where}field 'row' is {quote(row)}; expected its place in the request, from 0.", "row")
    return row


def _label(value: Any, answers: tuple[str, str], where: str) -> str:
    word = canonical_value(value) if isinstance(value, str) or _is_small(value) else ""
    if word in answers:
        return word
    if word.lower() in FLAGS:
        return answers[FLAGS[word.lower()]]
    hint = did_you_mean(word[:MAX_ID_LENGTH], answers)
    raise InvalidRequest(f"{where}field 'label' is {quote(value)}, which is no answer of this task. {hint}", "label")


def _is_small(value: Any) -> bool:
    return isinstance(value, (int, float)) and abs(value) < 1e15

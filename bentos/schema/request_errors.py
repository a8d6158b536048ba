"""Turn a request that cannot be answered into one sentence that names the field."""

from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from bentos.schema.json_values import quote
from bentos.schema.models import MAX_ROWS
from credence.core.errors import InputError, did_you_mean

M = TypeVar("M", bound=BaseModel)
Loc = tuple[int | str, ...]
MAX_NAME_LENGTH = 80
MAX_HINT_LENGTH = 200


class InvalidRequest(InputError):
    """A request that cannot be answered.

    Args:
        sentence: What was given, what was expected and what to do.
        field: Where it went wrong, such as `rows[3].age`; None if it is the body itself.
    """

    def __init__(self, sentence: str, field: str | None = None) -> None:
        super().__init__(sentence)
        self.field = field


def parse_request(model: type[M], body: bytes, row: type[BaseModel]) -> M:
    """Parse a request body.

    Args:
        model: The model of the whole body.
        body: JSON.
        row: The model of one row; equal to `model` for a body of one row.

    Raises:
        InvalidRequest: The body does not fit; the message describes the first mistake.
    """
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        mistakes = error.errors(include_url=False, include_context=False)
    # A misspelled field is also reported as missing under its right name; show the misspelling.
    first = next((m for m in mistakes if m["type"] == "extra_forbidden"), mistakes[0])
    raise _invalid_request(dict(first), model if len(first["loc"]) == 1 else row)


def _invalid_request(mistake: dict[str, Any], model: type[BaseModel]) -> InvalidRequest:
    loc = mistake["loc"]
    if mistake["type"] == "json_invalid":
        return InvalidRequest(f"the body is not JSON: {mistake['msg'].removeprefix('Invalid JSON: ')}.")
    if not loc:
        return InvalidRequest(f"the body is {quote(mistake['input'])}; expected an object with the fields of a row.")
    return InvalidRequest(f"{_describe_place(loc)}{_describe_mistake(mistake, model)}", _path(loc))


def _describe_mistake(mistake: dict[str, Any], model: type[BaseModel]) -> str:
    kind, given = mistake["type"], mistake["input"]
    if kind == "extra_forbidden":
        return f" is not known. {_hint(str(mistake['loc'][-1]), model)}"
    if kind == "missing":
        return " is missing; it has to be given."
    if kind == "value_error":
        return f": {mistake['msg'].removeprefix('Value error, ')}."
    if kind in ("too_long", "too_short"):
        return f" holds {len(given)} rows; expected 1 to {MAX_ROWS:,}."
    nouns = {"list_type": "a list", "string_type": "a text"}
    return f" is {quote(given)}; expected {nouns.get(kind, 'an object with the fields of a row')}."


def _hint(name: str, model: type[BaseModel]) -> str:
    known = [field.alias or own for own, field in model.model_fields.items()]
    hint = did_you_mean(name[:MAX_NAME_LENGTH], known)
    return hint if len(hint) <= MAX_HINT_LENGTH else "GET /docs.json lists the fields."


def _path(loc: Loc) -> str:
    """Format a location as in `rows[3].age`."""
    steps = [f"[{s}]" if isinstance(s, int) else f".{s[:MAX_NAME_LENGTH]}" for s in loc]
    return "".join(steps).removeprefix(".")


def _describe_place(loc: Loc) -> str:
    *above, last = loc
    if isinstance(last, int):
        return _path(loc)
    field = f"field {last[:MAX_NAME_LENGTH]!r}"
    return f"{_path(tuple(above))}, {field}" if above else field

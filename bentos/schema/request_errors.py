"""A request that cannot be answered, as one sentence that names the field."""

from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from bentos.schema.json_values import shown
from bentos.schema.models import MOST_ROWS
from credence.core.errors import BadInput, did_you_mean

M = TypeVar("M", bound=BaseModel)
Loc = tuple[int | str, ...]
LONGEST_NAME = 80
LONGEST_HINT = 200


class BadRequest(BadInput):
    """A request that breaks the rules; `field` names the place where there is one."""

    def __init__(self, sentence: str, field: str | None = None) -> None:
        super().__init__(sentence)
        self.field = field


def parse(model: type[M], body: bytes, row: type[BaseModel]) -> M:
    """The body as `model`, whose rows are `row`s. Raises BadRequest with one sentence about the first mistake."""
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        mistakes = error.errors(include_url=False, include_context=False)
    # A misspelt field is missing under its right name too; the misspelling is the better thing to show.
    first = next((m for m in mistakes if m["type"] == "extra_forbidden"), mistakes[0])
    raise _bad_request(dict(first), model if len(first["loc"]) == 1 else row)


def _bad_request(mistake: dict[str, Any], model: type[BaseModel]) -> BadRequest:
    loc = mistake["loc"]
    if mistake["type"] == "json_invalid":
        return BadRequest(f"the body is not JSON: {mistake['msg'].removeprefix('Invalid JSON: ')}.")
    if not loc:
        return BadRequest(f"the body is {shown(mistake['input'])}; expected an object with the fields of a row.")
    return BadRequest(f"{_where(loc)}{_what(mistake, model)}", _path(loc))


def _what(mistake: dict[str, Any], model: type[BaseModel]) -> str:
    kind, given = mistake["type"], mistake["input"]
    if kind == "extra_forbidden":
        return f" is not known. {_hint(str(mistake['loc'][-1]), model)}"
    if kind == "missing":
        return " is missing; it has to be given."
    if kind == "value_error":
        return f": {mistake['msg'].removeprefix('Value error, ')}."
    if kind in ("too_long", "too_short"):
        return f" holds {len(given)} rows; expected 1 to {MOST_ROWS:,}."
    nouns = {"list_type": "a list", "string_type": "a text"}
    return f" is {shown(given)}; expected {nouns.get(kind, 'an object with the fields of a row')}."


def _hint(name: str, model: type[BaseModel]) -> str:
    known = [field.alias or own for own, field in model.model_fields.items()]
    hint = did_you_mean(name[:LONGEST_NAME], known)
    return hint if len(hint) <= LONGEST_HINT else "GET /docs.json lists the fields."


def _path(loc: Loc) -> str:
    """rows[3].age"""
    steps = [f"[{s}]" if isinstance(s, int) else f".{s[:LONGEST_NAME]}" for s in loc]
    return "".join(steps).removeprefix(".")


def _where(loc: Loc) -> str:
    *above, last = loc
    if isinstance(last, int):
        return _path(loc)
    field = f"field {last[:LONGEST_NAME]!r}"
    return f"{_path(tuple(above))}, {field}" if above else field

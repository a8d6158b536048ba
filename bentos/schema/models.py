"""Request and answer models of one task, made from what its predictor learned about every column."""

import math
from collections.abc import Sequence
from functools import partial
from typing import Annotated, Any

import numpy as np
import pandas as pd
from bentoml import IODescriptor
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, PlainValidator, WithJsonSchema, create_model
from starlette.requests import Request

from bentos.schema.json_values import parse_group, parse_json_value
from credence.core.hashing import canonical_value
from credence.data.rows import ALL_GROUPS, MISSING_GROUP, original_name
from credence.data.schema import Column, Schema
from credence.predictor import PredictorInfo

MAX_ROWS = 10_000
MAX_LISTED = 20
SENTENCE = "A text to judge. "
GROUP = Annotated[Any, PlainValidator(parse_group), WithJsonSchema({"type": "string", "nullable": True})]
JSON_TYPES = {"number": "number", "category": "string", "date": "string", "text": "string"}


class JsonBody(IODescriptor):  # type: ignore[misc]
    """A request body. Its bytes reach the handler unread, so that a mistake in them becomes one sentence of ours."""

    model_config = ConfigDict(extra="forbid")
    __root_input__ = True

    @classmethod
    async def from_http_request(cls, request: Request, serde: Any) -> bytes:
        """The body as it came; `refusal.parse` reads it."""
        return await request.body()


class Prediction(BaseModel):
    """The answer to one row; what the model cannot know is null."""

    label: str = Field(description="the answer")
    probability: float = Field(ge=0, le=1, description="calibrated probability of yes, the second of the two answers")
    low: float | None = Field(description="lower end of its 90 % interval; null where the model has one opinion")
    high: float | None = Field(description="upper end of that interval")
    uncertainty: float = Field(description="entropy in bits; 1 is a coin toss")
    epistemic: float | None = Field(description="the part of it that more training data could remove")
    aleatoric: float | None = Field(description="the part of it that lies in the row itself")
    set: list[str] = Field(description="the answers that cannot be ruled out")
    abstain: bool = Field(description="true when a person should answer instead")
    reasons: list[str] = Field(description="why to abstain")
    version: str = Field(description="the predictor that answered")


class PredictionList(BaseModel):
    """One answer per row, in the order of the request."""

    answers: list[Prediction]


class Contribution(BaseModel):
    """What one input column adds to the log-odds of yes."""

    column: str
    contribution: float


class Explanation(BaseModel):
    """Why one row was answered as it was; contributions are in log-odds, the largest first."""

    contributions: list[Contribution]
    version: str


class ErrorResponse(BaseModel):
    """Why a request was not answered, in one sentence, and the field at fault where there is one."""

    error: str
    field: str | None = None


def row_model(info: PredictorInfo) -> type[BaseModel]:
    """The body of one row: one field per input column under its raw name, and the group where the task has one."""
    schema = info.schema_
    fields: dict[str, Any] = {f"c{i}": _field(c) for i, c in enumerate(schema.columns)}
    if schema.group and schema.group not in map(original_name, schema.names()):
        fields["group"] = (GROUP, Field(None, alias=schema.group, description="the group of the row, where known"))
    example = {"example": {original_name(c.name): example_of(c) for c in schema.columns}}
    return create_model(
        "Row", __base__=JsonBody, __doc__=info.question, __cls_kwargs__={"json_schema_extra": example}, **fields
    )


def rows_model(row: type[BaseModel], info: PredictorInfo) -> type[BaseModel]:
    """The body of a batch: `rows`, or for a text task `texts` as well."""
    many: Any = list[row]  # type: ignore[valid-type]
    if info.schema_.names() != ["text"]:
        return create_model("Rows", __base__=JsonBody, rows=(many, _some(...)))
    return create_model(
        "Rows", __base__=JsonBody, rows=(many | None, _some(None)), texts=(list[str] | None, _some(None))
    )


def _some(default: Any) -> Any:
    return Field(default, min_length=1, max_length=MAX_ROWS)


def _field(column: Column) -> Any:
    kind: dict[str, Any] = {"type": JSON_TYPES[column.kind]} | ({"nullable": True} if column.nullable else {})
    cell = Annotated[Any, PlainValidator(partial(parse_json_value, column)), WithJsonSchema(kind)]
    name = original_name(column.name)
    return cell, Field(alias=name, title=name, description=describe_column(column))


def describe_column(column: Column) -> str:
    """What training saw of a column, for people who read the API's documentation."""
    empty = "; null where it is missing" if column.nullable else ""
    if column.kind == "category":
        return f"category{_listed(column.categories)}{empty}"
    if column.low is None or column.high is None:
        return f"{column.kind}{empty}"
    if column.kind == "date":
        return f"date; training saw {_day(column.low)} to {_day(column.high)}{empty}"
    unit = " characters" if column.kind == "text" else ""
    return f"{column.kind}; training saw {column.low:g} to {column.high:g}{unit}{empty}"


def _listed(categories: list[str] | None) -> str:
    if not categories:
        return ""
    more = f" and {len(categories) - MAX_LISTED} more" if len(categories) > MAX_LISTED else ""
    return f"; training saw {', '.join(categories[:MAX_LISTED])}{more}"


def example_of(column: Column) -> str | float:
    """An ordinary value of this column: the middle of its range, or its first category."""
    if column.kind == "category":
        return (column.categories or ["…"])[0]
    if column.kind == "text":
        return SENTENCE * max(1, math.ceil((column.low or 0) / len(SENTENCE)))
    if column.low is None or column.high is None:
        return "2024-01-31" if column.kind == "date" else 0.0
    middle = (column.low + column.high) / 2
    return _day(middle) if column.kind == "date" else _short(middle, column.low, column.high)


def _short(middle: float, low: float, high: float) -> float:
    """Few digits, and a whole number between whole ends: 0.5 is no example of a flag."""
    whole = low.is_integer() and high.is_integer()
    rounded = float(int(middle)) if whole else float(f"{middle:.4g}")
    return rounded if low <= rounded <= high else middle


def _day(seconds: float) -> str:
    return str(pd.Timestamp(seconds, unit="s").date())


def requests_table(rows: Sequence[BaseModel], schema: Schema) -> pd.DataFrame:
    """Validated rows as the frame that `Predictor.predict` takes: what canonical rows hold, but not yet typed."""
    cells = [r.__dict__ for r in rows]
    columns = {c.name: _array([r[f"c{i}"] for r in cells], c) for i, c in enumerate(schema.columns)}
    return pd.DataFrame({**columns, "group": _groups(cells, schema)})


def _array(values: list[Any], column: Column) -> NDArray[Any]:
    return np.array(values, dtype=np.float64 if column.kind == "number" else object)


def _groups(cells: list[dict[str, Any]], schema: Schema) -> list[str]:
    names = [original_name(n) for n in schema.names()]
    key = f"c{names.index(schema.group)}" if schema.group in names else "group"
    nothing = MISSING_GROUP if schema.group else ALL_GROUPS
    return [nothing if r.get(key) is None else canonical_value(r[key]) for r in cells]


def predictions_of(found: pd.DataFrame) -> list[Prediction]:
    """The rows of `Predictor.predict` as answers; absent numbers become null."""
    names = [str(name) for name in found]
    columns = [[None if v != v else v for v in found[name].tolist()] for name in names]
    return [Prediction(**dict(zip(names, cells, strict=True))) for cells in zip(*columns, strict=True)]

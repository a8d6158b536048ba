"""Request and response models of one task, built from its predictor's schema."""

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
    """A request body. The handler gets its raw bytes, so that our code writes the error messages."""

    model_config = ConfigDict(extra="forbid")
    __root_input__ = True

    @classmethod
    async def from_http_request(cls, request: Request, serde: Any) -> bytes:
        """Return the raw body; `request_errors.parse_request` parses it."""
        return await request.body()


class Prediction(BaseModel):
    """The answer to one row. A value that the model cannot compute is null."""

    label: str = Field(description="the answer, one of the task's two answers")
    probability: float = Field(ge=0, le=1, description="calibrated probability of yes, the second of the two answers")
    low: float | None = Field(description="lower end of the 90 % interval; null if the model gives one draw only")
    high: float | None = Field(description="upper end of the 90 % interval; null if the model gives one draw only")
    uncertainty: float = Field(description="entropy in bits, 0 to 1; 1 is a coin toss")
    epistemic: float | None = Field(description="the part of it, in bits, that more training data could remove")
    aleatoric: float | None = Field(description="the part of it, in bits, that is inherent in the row")
    set: list[str] = Field(description="the answers that cannot be ruled out (conformal prediction)")
    abstain: bool = Field(description="true if a person should answer instead")
    reasons: list[str] = Field(description="why to abstain")
    version: str = Field(description="the predictor that answered, as task:number")


class PredictionList(BaseModel):
    """One answer per row, in the order of the request."""

    answers: list[Prediction]


class Contribution(BaseModel):
    """The contribution of one input column to the log-odds of yes."""

    column: str
    contribution: float


class Explanation(BaseModel):
    """The contribution of each column to one answer, in log-odds, the largest absolute value first."""

    contributions: list[Contribution]
    version: str


class ErrorResponse(BaseModel):
    """Why a request was not answered: one sentence, and the field at fault or null."""

    error: str
    field: str | None = None


def row_model(info: PredictorInfo) -> type[BaseModel]:
    """Create the model of a body of one row: one field per input column, and the group if the task has one.

    Fields have the raw column name as alias, and `c0`, `c1`, … as attribute, since a raw name may be no identifier.
    """
    schema = info.schema_
    fields: dict[str, Any] = {f"c{i}": _field(c) for i, c in enumerate(schema.columns)}
    if schema.group and schema.group not in map(original_name, schema.names()):
        fields["group"] = (GROUP, Field(None, alias=schema.group, description="the group of the row, where known"))
    example = {"example": {original_name(c.name): example_of(c) for c in schema.columns}}
    return create_model(
        "Row", __base__=JsonBody, __doc__=info.question, __cls_kwargs__={"json_schema_extra": example}, **fields
    )


def rows_model(row: type[BaseModel], info: PredictorInfo) -> type[BaseModel]:
    """Create the model of a batch body: `rows` (1 to 10,000), or for a text task either `rows` or `texts`."""
    many: Any = list[row]  # type: ignore[valid-type]
    if info.schema_.names() != ["text"]:
        return create_model("Rows", __base__=JsonBody, rows=(many, _list_field(...)))
    return create_model(
        "Rows", __base__=JsonBody, rows=(many | None, _list_field(None)), texts=(list[str] | None, _list_field(None))
    )


def _list_field(default: Any) -> Any:
    return Field(default, min_length=1, max_length=MAX_ROWS)


def _field(column: Column) -> Any:
    kind: dict[str, Any] = {"type": JSON_TYPES[column.kind]} | ({"nullable": True} if column.nullable else {})
    cell = Annotated[Any, PlainValidator(partial(parse_json_value, column)), WithJsonSchema(kind)]
    name = original_name(column.name)
    return cell, Field(alias=name, title=name, description=describe_column(column))


def describe_column(column: Column) -> str:
    """Describe kind and training range of a column, for the API's documentation."""
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
    """Return an example value: the middle of the column's training range, or its first category."""
    if column.kind == "category":
        return (column.categories or ["…"])[0]
    if column.kind == "text":
        return SENTENCE * max(1, math.ceil((column.low or 0) / len(SENTENCE)))
    if column.low is None or column.high is None:
        return "2024-01-31" if column.kind == "date" else 0.0
    middle = (column.low + column.high) / 2
    return _day(middle) if column.kind == "date" else _rounded(middle, column.low, column.high)


def _rounded(middle: float, low: float, high: float) -> float:
    """Round to 4 digits, or to an integer if both limits are integers: 0.5 is no example of a flag."""
    whole = low.is_integer() and high.is_integer()
    rounded = float(int(middle)) if whole else float(f"{middle:.4g}")
    return rounded if low <= rounded <= high else middle


def _day(seconds: float) -> str:
    return str(pd.Timestamp(seconds, unit="s").date())


def requests_table(rows: Sequence[BaseModel], schema: Schema) -> pd.DataFrame:
    """Convert validated rows to the frame that `Predictor.predict` takes.

    Returns:
        One row per request row: the schema's columns, not yet typed, and `group`.
    """
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
    """Convert the frame that `Predictor.predict` returns to answers; NaN becomes null."""
    names = [str(name) for name in found]
    columns = [[None if v != v else v for v in found[name].tolist()] for name in names]
    return [Prediction(**dict(zip(names, cells, strict=True))) for cells in zip(*columns, strict=True)]

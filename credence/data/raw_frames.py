"""Convert DataFrames with the user's column names to rows for a predictor."""

from typing import Any

import pandas as pd

from credence.core.errors import InputError, did_you_mean
from credence.data.rows import (
    ALL_GROUPS,
    MISSING_GROUP,
    canonical_column,
    original_name,
    require_unique_columns,
    text_cells,
)
from credence.data.schema import Schema


def rows_from_frame(frame: pd.DataFrame, schema: Schema, text: str | None = None) -> pd.DataFrame:
    """Return the inputs and the group of a frame, under the names of canonical rows.

    Args:
        frame: Canonical rows, which are returned unchanged, or a raw frame with the training table's column names.
        schema: The predictor's schema; it names the group column.
        text: Name of the text column in a raw frame.

    Raises:
        InputError: `frame` is not a DataFrame, repeats a column name or lacks an input column.
    """
    if not isinstance(frame, pd.DataFrame):
        raise InputError(f"the rows are a {type(frame).__name__}; expected a pandas DataFrame, one row per question.")
    named = all(name in frame for name in schema.names())
    if named and "group" in frame and frame.columns.is_unique:
        return frame
    table = frame.rename(columns=str)
    places = {name: name if named else _raw_name(name, text) for name in schema.names()}
    _refuse_unclear(table, list(places.values()))
    columns: dict[str, Any] = {name: table[place] for name, place in places.items()}
    if "text" in columns:
        columns["text"] = text_cells(columns["text"])
    return pd.DataFrame({**columns, "group": _groups(table, schema.group)}, index=frame.index)


def _raw_name(name: str, text: str | None) -> str:
    return text or name if name == "text" else original_name(name)


def _refuse_unclear(table: pd.DataFrame, wanted: list[str]) -> None:
    require_unique_columns(table)
    for name in wanted:
        if name not in table:
            raise InputError(f"column {name!r} is missing. {did_you_mean(name, map(str, table.columns))}")


def _groups(table: pd.DataFrame, name: str | None) -> Any:
    if name is None or name not in table:
        return ALL_GROUPS if name is None else MISSING_GROUP
    return canonical_column(table[name].astype(object)).fillna(MISSING_GROUP)

"""Raw frames, with the column names that a user's table has, as rows that a predictor reads."""

from typing import Any

import pandas as pd

from credence.core.errors import InputError, did_you_mean
from credence.core.hashing import canonical_value
from credence.data.rows import ALL_GROUPS, MISSING_GROUP, original_name, text_cells
from credence.data.schema import Schema


def rows_from_frame(frame: pd.DataFrame, schema: Schema, text: str | None = None) -> pd.DataFrame:
    """The inputs and the group of a frame under the names of canonical rows.

    Canonical rows are returned as they are. In a raw frame every input stands under its name in the training table:
    `text` names the text column there, and `schema.group` the group column. All other columns are left out.
    Raises InputError for anything but a DataFrame, for repeated column names and for a missing column.
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
    twice = table.columns[table.columns.duplicated()]
    if len(twice):
        raise InputError(f"column {twice[0]!r} stands twice in the header; give every column its own name.")
    for name in wanted:
        if name not in table:
            raise InputError(f"column {name!r} is missing. {did_you_mean(name, map(str, table.columns))}")


def _groups(table: pd.DataFrame, name: str | None) -> Any:
    if name is None or name not in table:
        return ALL_GROUPS if name is None else MISSING_GROUP
    values = table[name].astype(object)
    return values.map(canonical_value).where(values.notna(), MISSING_GROUP)

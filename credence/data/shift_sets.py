"""Shift sets: named sets of out-of-distribution rows for evaluation."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import numpy as np
import pandas as pd
from pydantic import Field

from credence.core.errors import InputError, did_you_mean
from credence.core.hashing import canonical_value
from credence.core.registry import SourceSpec, StrictModel
from credence.data.rows import (
    ALL_GROUPS,
    MISSING_GROUP,
    Columns,
    SplitColumns,
    canonical_column,
    canonical_set,
    model_inputs,
    original_name,
    row_hashes,
    text_cells,
)
from credence.data.schema import column_kind, parse_column

SET_COLUMN = "origin"
SetName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_]*$", max_length=60)]


class ShiftSet(StrictModel):
    """The source of one set; its rows have the task's columns, the label is optional."""

    source: SourceSpec

    def build(self, name: str) -> Any:
        """Create the source.

        Raises:
            InputError: The source is not valid; the message starts with the set's name.
        """
        with prefix_errors(name):
            return self.source.build()

    def read(self, name: str) -> pd.DataFrame:
        """Read the raw table.

        Raises:
            InputError: The source cannot be read; the message starts with the set's name.
        """
        with prefix_errors(name):
            raw: pd.DataFrame = self.source.build().read()
            return raw


@contextmanager
def prefix_errors(name: str) -> Iterator[None]:
    """Prefix the message of an `InputError` with the set's name."""
    try:
        yield
    except InputError as error:
        raise InputError(f"shift.{name}: {error}") from None


def to_shift_rows(
    name: str, raw: pd.DataFrame, columns: Columns, helpers: SplitColumns, like: pd.DataFrame
) -> pd.DataFrame:
    """Convert a set's raw table to rows: origin, row_id, group, key, label and the inputs of `like`.

    Args:
        name: Name of the set; the value of `origin`.
        raw: Its raw table.
        columns: The roles of the raw columns.
        helpers: The columns that decide the split.
        like: Canonical rows of the task.

    Returns:
        The rows; a label is NaN if it is unknown.

    Raises:
        InputError: A column is missing or has values of another type; the message starts with the set's name.
    """
    with prefix_errors(name):
        if raw.empty:
            raise InputError("the data has a header but no rows.")
        inputs = [str(name) for name in model_inputs(like) if name != "group"]
        given = pd.DataFrame({name: _input(raw, name, columns, like[name]) for name in inputs})
        group = canonical_column(raw[columns.group]).fillna(MISSING_GROUP) if columns.group in raw else ALL_GROUPS
        row_id = row_hashes(given)
        key = canonical_column(raw[helpers.key]).fillna(MISSING_GROUP) if helpers.key in raw else row_id
        about = {SET_COLUMN: name, "row_id": row_id, "group": group, "key": key, "label": _labels(raw, columns)}
        return pd.concat([pd.DataFrame(about, index=raw.index), given], axis=1).reset_index(drop=True)


def _input(raw: pd.DataFrame, name: str, columns: Columns, like: pd.Series) -> pd.Series:
    kind = column_kind(name, like)
    wanted = columns.text if kind == "text" and columns.text else original_name(name)
    if wanted not in raw:
        raise InputError(f"column {wanted!r} is missing. {did_you_mean(wanted, map(str, raw.columns))}")
    values = raw[wanted]
    return text_cells(values) if kind == "text" else parse_column(values, kind)


def _labels(raw: pd.DataFrame, columns: Columns) -> Any:
    """Return 1 for yes, 0 for no, NaN if the label is empty or neither."""
    if columns.label not in raw:
        return np.nan
    values = raw[columns.label]
    words = values.map(canonical_value).where(values.notna() & (values.astype(str).str.strip() != ""))
    yes = words.isin(canonical_set(columns.positive))
    known = words.notna() if columns.negative is None else yes | words.isin(canonical_set(columns.negative))
    return yes.astype(float).where(known)

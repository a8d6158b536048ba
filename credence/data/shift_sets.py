"""Named sets of rows from elsewhere: an evaluation shows what a predictor notices and what it is worth there."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import numpy as np
import pandas as pd
from pydantic import Field

from credence.core.errors import InputError, did_you_mean
from credence.core.hashing import canonical_value
from credence.core.registry import SourceSpec, StrictModel
from credence.data.rows import ALL_GROUPS, MISSING_GROUP, Columns, SplitColumns, model_inputs, original_name, row_hashes
from credence.data.schema import column_kind, parse_column

SET_COLUMN = "origin"
SetName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_]*$", max_length=60)]


class ShiftSet(StrictModel):
    """One set: where its rows come from. They have the columns of the task; a label is welcome and not needed."""

    source: SourceSpec

    def build(self, name: str) -> Any:
        """The source of the set of that name. BadInput names the set."""
        with prefix_errors(name):
            return self.source.build()

    def read(self, name: str) -> pd.DataFrame:
        """The raw table of the set of that name. BadInput names the set."""
        with prefix_errors(name):
            raw: pd.DataFrame = self.source.build().read()
            return raw


@contextmanager
def prefix_errors(name: str) -> Iterator[None]:
    """Put the set's name before what is said of it."""
    try:
        yield
    except InputError as error:
        raise InputError(f"shift.{name}: {error}") from None


def to_shift_rows(
    name: str, raw: pd.DataFrame, columns: Columns, helpers: SplitColumns, like: pd.DataFrame
) -> pd.DataFrame:
    """The set's raw table as rows: origin, row_id, group, key, label (NaN where unknown), and the inputs of `like`.

    Raises BadInput, which names the set, where a column is missing or holds values of another type.
    """
    with prefix_errors(name):
        if raw.empty:
            raise InputError("the data has a header but no rows.")
        given = pd.DataFrame(_inputs(raw, columns, like))
        group = _words(raw[columns.group]) if columns.group in raw else ALL_GROUPS
        row_id = row_hashes(given)
        key = _words(raw[helpers.key]) if helpers.key in raw else row_id
        about = {SET_COLUMN: name, "row_id": row_id, "group": group, "key": key, "label": _labels(raw, columns)}
        return pd.concat([pd.DataFrame(about, index=raw.index), given], axis=1).reset_index(drop=True)


def _inputs(raw: pd.DataFrame, columns: Columns, like: pd.DataFrame) -> dict[str, pd.Series]:
    return {str(name): _input(raw, str(name), columns, like[name]) for name in model_inputs(like) if name != "group"}


def _input(raw: pd.DataFrame, name: str, columns: Columns, like: pd.Series) -> pd.Series:
    kind = column_kind(name, like)
    wanted = columns.text if kind == "text" and columns.text else original_name(name)
    if wanted not in raw:
        raise InputError(f"column {wanted!r} is missing. {did_you_mean(wanted, map(str, raw.columns))}")
    values = raw[wanted]
    return values.map(lambda t: "" if pd.isna(t) else str(t)) if kind == "text" else parse_column(values, kind)


def _words(values: pd.Series) -> pd.Series:
    return values.map(canonical_value).astype(object).where(values.notna(), MISSING_GROUP)


def _labels(raw: pd.DataFrame, columns: Columns) -> Any:
    """1 for yes, 0 for no, NaN where a row does not say, or says neither."""
    if columns.label not in raw:
        return np.nan
    values = raw[columns.label]
    words = values.map(canonical_value).where(values.notna() & (values.astype(str).str.strip() != ""))
    yes = words.isin(_spelled(columns.positive))
    known = words.notna() if columns.negative is None else yes | words.isin(_spelled(columns.negative))
    return yes.astype(float).where(known)


def _spelled(values: Any) -> set[str]:
    return {canonical_value(v) for v in (values if isinstance(values, (list, tuple, set)) else [values])}

"""Canonical rows: row_id, group, label, key and typed input columns."""

from typing import Any

import numpy as np
import pandas as pd
from pydantic import Field

from credence.core.errors import InputError, did_you_mean
from credence.core.hashing import canonical_value, stable_hash
from credence.core.registry import StrictModel
from credence.data.schema import ColumnKind, parse_column

RESERVED = ("row_id", "group", "label", "key", "origin", "when")
RESERVED_INPUTS = {*RESERVED, "text"}
ALL_GROUPS, MISSING_GROUP = "all", "missing"


class Columns(StrictModel):
    """The YAML section `columns`: the roles of the raw columns; columns without a role are inputs.

    `positive` and `negative` are one value or several. Without `negative`, everything that is not positive is no.
    `types` overrides the kind of an input. `unlabelled` is "refuse" or "drop".
    """

    label: str = Field(description="the column that holds the answer")
    positive: Any = Field(None, description="the value that means yes; a list if there are several")
    negative: Any = Field(None, description="the value that means no; rows with any other value are left out")
    text: str | None = Field(None, description="the text column; it alone is then the input")
    group: str | None = Field(None, description="the column to report, guard and pool by")
    row_id: str | None = Field(None, description="the column that identifies a row; default: its content")
    ignore: list[str] = Field([], description="columns that are not inputs")
    types: dict[str, ColumnKind] = Field({}, description="number, category or date, where detection is wrong")
    unlabelled: str = Field("refuse", description="rows without a label: drop or refuse")

    def named(self) -> set[str]:
        """Return every raw column that this section names."""
        single = {self.label, self.text, self.group, self.row_id} - {None}
        return {str(c) for c in single} | set(self.ignore) | set(self.types)


class SplitColumns(StrictModel):
    """Raw columns that decide the split and are therefore not inputs; see `Split`."""

    key: str | None = Field(None, description="rows with one value of this column stay in one part")
    column: str | None = Field(None, description="the column with the data's own split")
    time: str | None = Field(None, description="the newest rows by this column test")


NO_SPLIT_COLUMNS = SplitColumns()


def to_canonical_rows(raw: pd.DataFrame, columns: Columns, helpers: SplitColumns = NO_SPLIT_COLUMNS) -> pd.DataFrame:
    """Convert a raw table to canonical rows: reserved columns first, then the typed inputs.

    Args:
        raw: The table as the source gives it.
        columns: The roles of its columns.
        helpers: The columns that decide the split.

    Raises:
        InputError: A column is missing or duplicated, there are no rows, or labels do not give both answers.
    """
    _refuse_absent(raw, columns, helpers)
    label = parse_labels(raw[columns.label], columns)
    raw, label = raw[label.notna()], label.dropna().astype(int)
    given = inputs_of(raw, columns, helpers)
    row_id = _checked_row_ids(raw[columns.row_id]) if columns.row_id else pd.Series(row_hashes(given), index=raw.index)
    rows = {
        "row_id": row_id,
        "group": canonical_column(raw[columns.group]).fillna(MISSING_GROUP) if columns.group else ALL_GROUPS,
        "label": label,
        "key": canonical_column(raw[helpers.key]).fillna(row_id) if helpers.key else row_id,
    }
    if helpers.column:
        rows["origin"] = canonical_column(raw[helpers.column]).fillna(MISSING_GROUP)
    if helpers.time:
        rows["when"] = parse_column(raw[helpers.time], "date")
    return pd.concat([pd.DataFrame(rows, index=raw.index), given], axis=1).reset_index(drop=True)


def canonical_column(raw: pd.Series) -> pd.Series:
    """Return the values of a raw column as canonical texts (see `canonical_value`), None where missing."""
    return raw.map(canonical_value).astype(object).where(raw.notna(), None)


def _checked_row_ids(raw: pd.Series) -> pd.Series:
    if raw.isna().any():
        row, gaps = int(np.argmax(raw.isna())) + 1, int(raw.isna().sum())
        raise InputError(
            f"id column {raw.name!r} is empty in {gaps} of {len(raw)} rows (the first is row {row}); "
            "fill it in, or leave out columns.row_id."
        )
    return canonical_column(raw)


def inputs_of(raw: pd.DataFrame, columns: Columns, helpers: SplitColumns = NO_SPLIT_COLUMNS) -> pd.DataFrame:
    """Return the typed input columns of a raw table; reserved names are changed by `internal_name`.

    Raises:
        InputError: No column is an input, or a value does not have the type of its column.
    """
    if columns.text:
        return pd.DataFrame({"text": text_cells(raw[columns.text])})
    aside = {columns.label, columns.row_id, helpers.key, helpers.column, helpers.time, *columns.ignore}
    kept = [c for c in raw.columns if c not in aside]
    if not kept:
        raise InputError("no column is left to learn from; name fewer columns under columns.ignore and split.")
    return pd.DataFrame({internal_name(c): parse_column(raw[c], columns.types.get(c)) for c in kept})


def text_cells(values: pd.Series) -> pd.Series:
    """Return texts as strings; a missing text becomes an empty string."""
    return values.astype(object).map(lambda text: "" if pd.isna(text) else str(text))


def internal_name(name: str) -> str:
    """Return the name of an input column in canonical rows: a reserved name gets an underscore."""
    return f"{name}_" if name.rstrip("_") in RESERVED_INPUTS else name


def original_name(name: str) -> str:
    """Return the name of an input column in the raw table; the inverse of `internal_name`."""
    return name[:-1] if name.endswith("_") and name.rstrip("_") in RESERVED_INPUTS else name


def model_inputs(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the columns that a model may use: all inputs, and the group."""
    return rows.drop(columns=[c for c in RESERVED if c in rows and c != "group"])


def parse_labels(raw: pd.Series, columns: Columns) -> pd.Series:
    """Convert raw labels to 1 (yes), 0 (no) or NaN (empty, or neither: the row is left out).

    Raises:
        InputError: A label is empty and `columns.unlabelled` is not "drop", or the labels do not give both answers.
    """
    empty = raw.isna() | (raw.astype(str).str.strip() == "")
    if empty.any() and columns.unlabelled != "drop":
        raise InputError(
            f"label column {raw.name!r} is empty in {int(empty.sum())} of {len(raw)} rows "
            f"(the first is row {int(np.argmax(empty)) + 1}); "
            "fill them in, or leave them out with columns.unlabelled=drop."
        )
    values = raw.map(canonical_value).where(~empty)
    yes = canonical_set(columns.positive)
    _refuse_wrong_values(values.dropna(), yes, columns)
    label = values.isin(yes).astype(float).where(~empty)
    return label.where(values.isin(yes | canonical_set(columns.negative))) if columns.negative is not None else label


def canonical_set(values: Any) -> set[str]:
    """Return one value, or a list, tuple or set of values, as a set of canonical texts."""
    return {canonical_value(v) for v in values} if isinstance(values, (list, tuple, set)) else {canonical_value(values)}


def _refuse_wrong_values(values: pd.Series, yes: set[str], columns: Columns) -> None:
    found = values.value_counts()
    shown = ", ".join(map(repr, found.index[:8])) + (", …" if len(found) > 8 else "")
    column = f"label column {columns.label!r}"
    if columns.positive is None:
        raise InputError(f"{column} holds {shown}; say which of them means yes with columns.positive.")
    if absent := yes - set(found.index):
        raise InputError(f"columns.positive is {sorted(absent)[0]!r}, which {column} never holds: it holds {shown}.")
    if len(set(found.index) - yes) == 0:
        raise InputError(f"{column} holds only {shown}, all of them yes; a question needs rows of both answers.")
    if columns.negative is not None and not canonical_set(columns.negative) & set(found.index):
        raise InputError(f"columns.negative is {columns.negative!r}, which {column} never holds: it holds {shown}.")


def _refuse_absent(raw: pd.DataFrame, columns: Columns, helpers: SplitColumns) -> None:
    require_unique_columns(raw)
    wanted = columns.named() | {c for c in (helpers.key, helpers.column, helpers.time) if c}
    for name in sorted(wanted - set(map(str, raw.columns))):
        raise InputError(f"column {name!r} is not in the data. {did_you_mean(name, map(str, raw.columns))}")
    if raw.empty:
        raise InputError("the data has a header but no rows.")


def require_unique_columns(table: pd.DataFrame) -> None:
    """Check that every column has its own name.

    Raises:
        InputError: A name is repeated.
    """
    twice = table.columns[table.columns.duplicated()]
    if len(twice):
        raise InputError(f"column {twice[0]!r} is in the header twice; give every column its own name.")


def row_hashes(table: pd.DataFrame) -> list[str]:
    """Return a 64-bit hash per row, as 16 hex digits, of its values in the order of the column names."""
    columns = [_canonical_cells(table[c]) for c in sorted(table.columns, key=str)]
    return [stable_hash("\x1f".join(cells)) for cells in zip(*columns, strict=True)]


def _canonical_cells(values: pd.Series) -> list[str]:
    if pd.api.types.is_numeric_dtype(values):
        return list(map(repr, values.astype("float64").tolist()))
    return [repr(float(v)) if isinstance(v, (int, float, np.number)) else str(v) for v in values]


def sample_rows(rows: pd.DataFrame, n: int | None) -> pd.DataFrame:
    """Return the n rows with the lowest hashes of their ids, always the same ones; all rows if n is None."""
    if n is None or n >= len(rows):
        return rows
    hashes = rows["row_id"].map(lambda row_id: stable_hash(f"sample {row_id}"))
    return rows.loc[hashes.sort_values(kind="stable").index[:n]].sort_index()


def canonical_sample(
    raw: pd.DataFrame, columns: Columns, helpers: SplitColumns, sample_size: int | None = None
) -> pd.DataFrame:
    """Convert a raw table to canonical rows and keep all of them, or always the same `sample_size` ones.

    Every use of a task's table goes through here, so that columns which decide the split are never inputs.
    Arguments and errors are those of `to_canonical_rows`.
    """
    return sample_rows(to_canonical_rows(raw, columns, helpers), sample_size)

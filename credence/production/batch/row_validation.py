"""Convert raw rows to a predictor's inputs, and reject those that cannot be converted."""

from typing import Any, Self

import numpy as np
import pandas as pd

from credence.core.errors import InputError, did_you_mean
from credence.core.hashing import canonical_value
from credence.core.registry import StrictModel
from credence.data.column_formats import DateFormat, NumberFormat, TextFormat
from credence.data.rows import ALL_GROUPS, MISSING_GROUP, original_name, text_cells
from credence.data.schema import MISSING, Column, Schema
from credence.production.batch.reader import BatchReader, RejectedRows

NOUNS = {"number": "a number", "date": "a date such as 2024-01-31", "category": "a word", "text": "a text"}
SHOWN = 40

ColumnFormat = NumberFormat | DateFormat | TextFormat


class RowValidator(StrictModel):
    """Column names and formats of the inputs in the raw table; other columns are ignored."""

    schema_: Schema
    raw: dict[str, str]
    spellings: dict[str, ColumnFormat]
    row_id: str | None = None
    group: TextFormat = TextFormat()

    @classmethod
    def learn(cls, schema: Schema, reader: BatchReader, text: str | None = None, row_id: str | None = None) -> Self:
        """Infer the formats from the first rows of a source.

        Raises:
            InputError: An input column is missing.
        """
        head = reader.head()
        raw = {c.name: (text or "text") if c.kind == "text" else original_name(c.name) for c in schema.columns}
        for name in [*raw.values(), *([row_id] if row_id else [])]:
            if name not in head:
                way_out = " Name the column to read with columns.text." if name == "text" and not text else ""
                hint = did_you_mean(name, map(str, head.columns))
                raise InputError(f"{reader.name}: column {name!r} is missing. {hint}{way_out}")
        spellings = {c.name: _spelling(c, head[raw[c.name]], reader.cells) for c in schema.columns}
        has_group = schema.group is not None and schema.group in head
        group = TextFormat.learn(head[schema.group], reader.cells) if has_group else TextFormat()
        return cls(schema_=schema, raw=raw, spellings=spellings, row_id=row_id, group=group)

    def numbers(self) -> frozenset[str]:
        """Raw columns that are plain numbers and used as nothing else."""
        plain = {self.raw[n] for n, s in self.spellings.items() if isinstance(s, NumberFormat) and s.marks is None}
        return frozenset(plain - {self.row_id, self.schema_.group})

    def rows(self, table: pd.DataFrame, reader: BatchReader) -> tuple[pd.DataFrame, list[RejectedRows]]:
        """Convert a raw table.

        Returns:
            The rows with internal names, types and group, and the rejected rows with their reasons.
        """
        columns, faults = {}, dict[int, str]()
        for column in reversed(self.schema_.columns):  # so that the first of several faults in a row is reported
            raw = table[self.raw[column.name]]
            columns[column.name], wrong = self._cast(column, raw)
            faults |= {row: _why(column, raw, row) for row in raw.index[wrong]}
        rows = pd.DataFrame({name: columns[name] for name in self.schema_.names()}, index=table.index)
        rows["group"] = self._groups(table, rows)
        if self.row_id:
            rows["row_id"], absent = _ids(table[self.row_id])
            faults = dict.fromkeys(table.index[absent], f"id column {self.row_id!r} is empty") | faults
        rejected = [
            RejectedRows(row=row, where=reader.where(row), why=why, given=_given(table, row))
            for row, why in sorted(faults.items())
        ]
        return rows.drop(index=list(faults)), rejected

    def _cast(self, column: Column, raw: pd.Series) -> tuple[pd.Series, Any]:
        if column.kind == "text":
            return text_cells(raw), np.zeros(len(raw), bool)
        found, wrong = self.spellings[column.name].read(raw)
        return found, wrong if column.nullable else wrong | found.isna().to_numpy()

    def _groups(self, table: pd.DataFrame, rows: pd.DataFrame) -> Any:
        name = self.schema_.group
        if name is None or name not in table:
            return ALL_GROUPS if name is None else MISSING_GROUP
        inputs = {raw: name for name, raw in self.raw.items()}
        absent = rows[inputs[name]].isna() if name in inputs else table[name].isna()
        return self.group.typed(table[name]).map(canonical_value).astype(object).where(~absent, MISSING_GROUP)


def _spelling(column: Column, values: pd.Series, cells: bool) -> ColumnFormat:
    if column.kind == "number":
        flags = column.low is not None and column.high is not None and column.low >= 0 and column.high <= 1
        return NumberFormat.learn(values, flags)
    return DateFormat.learn(values) if column.kind == "date" else TextFormat.learn(values, cells)


def _ids(values: pd.Series) -> tuple[pd.Series, Any]:
    return values.map(canonical_value, "ignore").astype(object), values.isna().to_numpy()


def _why(column: Column, raw: pd.Series, row: int) -> str:
    value, name = raw[row], raw.name
    if pd.isna(value) or (isinstance(value, str) and value.strip().lower() in MISSING):
        return f"column {name!r} is empty, but it had no missing values in training; expected {NOUNS[column.kind]}"
    word = repr(value) if isinstance(value, str) else str(value)
    shown = word if len(word) <= SHOWN else f"{word[:SHOWN]}…"
    return f"column {name!r}: {shown} is not {NOUNS[column.kind]} written as in the first rows"


def _given(table: pd.DataFrame, row: int) -> dict[str, Any]:
    """A raw row as JSON values."""
    cells: list[tuple[str, Any]] = [(str(name), table.at[row, name]) for name in table]
    return {k: None if pd.isna(v) else v if isinstance(v, (str, bool, int, float)) else str(v) for k, v in cells}

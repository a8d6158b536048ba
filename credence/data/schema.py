"""Input schema: column kinds, ranges and categories, learned on the training rows and checked for every request."""

from typing import Any, Literal, Self

import numpy as np
import pandas as pd

from credence.core.errors import InputError, did_you_mean
from credence.core.registry import StrictModel
from credence.data.novelty import TextNovelty
from credence.data.novelty.value_range import SLACK_SHARE
from credence.data.parsing.dates import all_dates, parse_dates
from credence.data.parsing.numbers import parse_numbers

ColumnKind = Literal["number", "category", "date", "text"]
MISSING = {"", "?", "na", "n/a", "nan", "null", "none", "-", "nat", "<na>", "#n/a"}
MAX_CATEGORIES = 1000
MAX_UNSEEN_SHARE = 0.01


def parse_column(raw: pd.Series, kind: ColumnKind | None = None) -> pd.Series:
    """Convert a raw column to float64 (number), datetime64 in UTC (date) or strings with None (category, text).

    Args:
        raw: The column. Texts in `MISSING`, in any case, are missing values.
        kind: The kind to convert to; by default number if all values are numbers, then date, then category.

    Raises:
        InputError: A number is infinite, or a value is not of `kind`; names the column and the row.
    """
    if raw.dtype == np.float64 and kind in (None, "number"):
        return _finite(raw)
    if isinstance(raw.dtype, pd.CategoricalDtype):
        raw = raw.astype(object)
    if pd.api.types.is_datetime64_any_dtype(raw) and kind in (None, "date"):
        return pd.to_datetime(raw, utc=True).dt.tz_localize(None)
    if pd.api.types.is_numeric_dtype(raw) and kind in (None, "number"):
        return _finite(raw.astype("float64"))
    if pd.api.types.is_timedelta64_dtype(raw) and kind in (None, "number"):
        return pd.Series(raw.to_numpy() / np.timedelta64(1, "s"), index=raw.index, name=raw.name)
    words = raw.map(_cell_text)
    there = words.dropna()
    if kind in (None, "number") and (found := _numbers(raw, words, codes=kind == "number")) is not None:
        return _finite(found)
    if kind == "number":
        raise InputError(_not_a_number(words, raw.name))
    if kind == "date" or (kind is None and all_dates(there)):
        return _dates(words, raw.name)
    return words.astype(object)


def _cell_text(value: Any) -> str | None:
    if value is None or (not isinstance(value, str) and pd.isna(value)):
        return None
    word = (
        str(int(value)) if isinstance(value, (float, np.floating)) and float(value).is_integer() else str(value).strip()
    )
    return None if word.lower() in MISSING else word


def _numbers(raw: pd.Series, words: pd.Series, codes: bool) -> pd.Series | None:
    """Parse words as numbers, or return None; true and false are 1 and 0."""
    there = words.notna().to_numpy()
    flags = there.any() and raw[there].map(lambda value: isinstance(value, (bool, np.bool_))).all()
    found = raw[there].astype("float64") if flags else parse_numbers(words[there], codes)
    if found is None:
        return None
    cells = np.full(len(raw), np.nan)
    cells[there] = found
    return pd.Series(cells, index=raw.index, name=raw.name)


def _not_a_number(words: pd.Series, name: Any) -> str:
    """Describe the first value that is not a number, or one whose format differs from the others'."""
    there = words.notna().to_numpy() & pd.to_numeric(words, errors="coerce").isna().to_numpy()
    alone = [i for i in map(int, np.flatnonzero(there)) if parse_numbers(words.iloc[[i]]) is None]
    row = alone[0] if alone else int(np.argmax(there))
    unlike = "" if alone else " written like the others"
    return f"column {name!r}, row {row + 1}: {words.iloc[row]!r} is not a number{unlike}."


def _dates(words: pd.Series, name: Any) -> pd.Series:
    found = parse_dates(words)
    wrong = found.isna() & words.notna()
    if wrong.any():
        row, word = int(np.argmax(wrong)) + 1, words[wrong].iloc[0]
        raise InputError(f"column {name!r}, row {row}: {word!r} is not a date; expected one such as 2024-01-31.")
    return found


def _finite(numbers: pd.Series) -> pd.Series:
    infinite = np.isinf(numbers.to_numpy())
    if infinite.any():
        row = int(np.argmax(infinite)) + 1
        raise InputError(f"column {numbers.name!r}, row {row}: infinite; expected a number or an empty cell.")
    return numbers


class Column(StrictModel):
    """One input column as seen in training.

    `low` and `high` bound numbers, dates in seconds since 1970, or lengths of texts in characters.
    `categories` is None if unseen categories are expected. `familiar` is the novelty detector of a text column.
    """

    name: str
    kind: ColumnKind
    nullable: bool
    low: float | None = None
    high: float | None = None
    categories: list[str] | None = None
    familiar: TextNovelty | None = None

    @classmethod
    def learn(cls, name: str, values: pd.Series, keys: pd.Series | None = None) -> Self:
        """Learn a column from training values.

        Args:
            name: Name in canonical rows.
            values: A typed column; see `parse_column`.
            keys: The split key of every row, for texts; see `TextNovelty.learn`.
        """
        kind, there = column_kind(name, values), values.dropna()
        nullable = len(there) < len(values)
        if kind == "category":
            return cls(name=name, kind=kind, nullable=nullable, categories=_closed_categories(there))
        measure = guarded_value(kind, there)
        low, high = (float(measure.min()), float(measure.max())) if len(measure) else (None, None)
        keys = None if keys is None else keys[values.notna().to_numpy()]
        familiar = TextNovelty.learn(there, keys) if kind == "text" and len(there) else None
        return cls(name=name, kind=kind, nullable=nullable, low=low, high=high, familiar=familiar)

    def out_of_range(self, values: pd.Series) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """Return which values are unseen categories, or beyond the training range by more than a quarter of it."""
        if self.categories is not None:
            return values.notna().to_numpy() & ~values.isin(self.categories).to_numpy()
        if self.low is None or self.high is None:
            return np.zeros(len(values), bool)
        slack, measure = SLACK_SHARE * (self.high - self.low), guarded_value(self.kind, values)
        return (measure < self.low - slack) | (measure > self.high + slack)

    def warnings(self, values: pd.Series, quote: bool = True) -> dict[int, list[str]]:
        """Return, by row number, the reasons why a value differs from the training values.

        Args:
            values: A typed column.
            quote: Whether reasons may quote numbers from texts.
        """
        if self.familiar is not None:
            return {i: why for i, why in enumerate(self.familiar.reasons(values, quote)) if why}
        word = f"unseen category: {self.name}" if self.kind == "category" else f"out of range: {self.name}"
        return {int(i): [word] for i in np.flatnonzero(self.out_of_range(values))}


def column_kind(name: str, values: pd.Series) -> ColumnKind:
    """Return the kind of a typed column, by its dtype and its name."""
    if name == "text":
        return "text"
    if pd.api.types.is_datetime64_any_dtype(values):
        return "date"
    return "number" if pd.api.types.is_numeric_dtype(values) else "category"


def guarded_value(kind: ColumnKind, values: pd.Series) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return the quantity whose range is checked: the number, seconds since 1970, or the text's length."""
    if kind == "text":
        return np.asarray(values.str.len(), dtype=np.float64)
    if kind == "date":
        return np.asarray((values - pd.Timestamp(0)) / pd.Timedelta(seconds=1), dtype=np.float64)
    return np.asarray(values, dtype=np.float64)


def _closed_categories(values: pd.Series) -> list[str] | None:
    """Return the sorted categories, or None if more than 1 % of new values are expected to be unseen categories.

    The share of values seen once estimates that share (Good-Turing; Good 1953).
    """
    counts = values.value_counts()
    once = int((counts == 1).sum())
    if len(counts) > MAX_CATEGORIES or once > MAX_UNSEEN_SHARE * max(len(values), 1):
        return None
    return sorted(map(str, counts.index))


class Schema(StrictModel):
    """The input columns in order, and the name of the group column where the task has one."""

    columns: list[Column]
    group: str | None = None

    @classmethod
    def learn(cls, inputs: pd.DataFrame, group: str | None = None, keys: pd.Series | None = None) -> Self:
        """Learn from training rows.

        Args:
            inputs: The model inputs; see `model_inputs`.
            group: Name of the group column in requests, if there is one.
            keys: The split key of every row.
        """
        return cls(columns=[Column.learn(str(c), inputs[c], keys) for c in inputs if c != "group"], group=group)

    def names(self) -> list[str]:
        """Return the names of the input columns in order."""
        return [c.name for c in self.columns]

    def select(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Return the inputs of rows, converted to the kinds seen in training; ignore unknown columns.

        Raises:
            InputError: An input column is missing, or a value is not of its kind.
        """
        absent = [n for n in self.names() if n not in rows]
        if absent:
            raise InputError(f"column {absent[0]!r} is missing. {did_you_mean(absent[0], map(str, rows.columns))}")
        cast = {c.name: rows[c.name] if c.kind == "text" else parse_column(rows[c.name], c.kind) for c in self.columns}
        group = rows["group"].astype(str) if "group" in rows else "all"
        return pd.DataFrame(cast, index=rows.index).assign(group=group)

    def warnings(self, inputs: pd.DataFrame, quote: bool = True) -> list[list[str]]:
        """Return, per row, the reasons why its inputs differ from the training rows; empty for ordinary rows.

        Args:
            inputs: The inputs; see `select`.
            quote: Whether reasons may quote numbers from texts.
        """
        found: list[list[str]] = [[] for _ in range(len(inputs))]
        for column in self.columns:
            for row, why in column.warnings(inputs[column.name], quote).items():
                found[row] += why
        return found

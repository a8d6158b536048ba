"""What every input column holds: learned on the training rows, kept in the predictor, asked of every request."""

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
MIN_RECURRING_SHARE = 0.01


def parse_column(raw: pd.Series, kind: ColumnKind | None = None) -> pd.Series:
    """A raw column as float64 (number), datetime64 (date) or object strings with None for missing (category, text).

    Without `kind`, a column is a number where every value that is there reads as one, then a date, then a category.
    Infinite numbers are refused: BadInput names the column and the row.
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
    """The words as numbers, or None; true and false are 1 and 0 also where some are missing."""
    there = words.notna().to_numpy()
    flags = there.any() and raw[there].map(lambda value: isinstance(value, (bool, np.bool_))).all()
    found = raw[there].astype("float64") if flags else parse_numbers(words[there], codes)
    if found is None:
        return None
    cells = np.full(len(raw), np.nan)
    cells[there] = found
    return pd.Series(cells, index=raw.index, name=raw.name)


def _not_a_number(words: pd.Series, name: Any) -> str:
    """The sentence about the first word that is no number; where each alone is one, about one unlike the others."""
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
    endless = np.isinf(numbers.to_numpy())
    if endless.any():
        raise InputError(
            f"column {numbers.name!r}, row {int(np.argmax(endless)) + 1}: infinite; expected a number or an empty cell."
        )
    return numbers


class Column(StrictModel):
    """One input column: its name in requests, its kind, and what training saw of it."""

    name: str
    kind: ColumnKind
    nullable: bool
    low: float | None = None
    high: float | None = None
    categories: list[str] | None = None
    familiar: TextNovelty | None = None

    @classmethod
    def learn(cls, name: str, values: pd.Series, keys: pd.Series | None = None) -> Self:
        """The column as the training rows show it. Text is measured in characters, dates in seconds since 1970.

        `keys` say which texts belong together, see `TextNovelty.learn`.
        """
        kind, there = column_kind(name, values), values.dropna()
        nullable = len(there) < len(values)
        if kind == "category":
            return cls(name=name, kind=kind, nullable=nullable, categories=_is_closed_set(there))
        measure = guarded_value(kind, there)
        low, high = (float(measure.min()), float(measure.max())) if len(measure) else (None, None)
        keys = None if keys is None else keys[values.notna().to_numpy()]
        familiar = TextNovelty.learn(there, keys) if kind == "text" and len(there) else None
        return cls(name=name, kind=kind, nullable=nullable, low=low, high=high, familiar=familiar)

    def out_of_range(self, values: pd.Series) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """Which values lie outside what training saw: far out of range, or a category that was never there."""
        if self.categories is not None:
            return values.notna().to_numpy() & ~values.isin(self.categories).to_numpy()
        if self.low is None or self.high is None:
            return np.zeros(len(values), bool)
        slack, measure = SLACK_SHARE * (self.high - self.low), guarded_value(self.kind, values)
        return (measure < self.low - slack) | (measure > self.high + slack)

    def warnings(self, values: pd.Series, quote: bool = True) -> dict[int, list[str]]:
        """By the number of its row, why a value is strange; a text may be so in several ways."""
        if self.familiar is not None:
            return {i: why for i, why in enumerate(self.familiar.reasons(values, quote)) if why}
        word = f"unseen category: {self.name}" if self.kind == "category" else f"out of range: {self.name}"
        return {int(i): [word] for i in np.flatnonzero(self.out_of_range(values))}


def column_kind(name: str, values: pd.Series) -> ColumnKind:
    """The kind of a typed column, read off its dtype."""
    if name == "text":
        return "text"
    if pd.api.types.is_datetime64_any_dtype(values):
        return "date"
    return "number" if pd.api.types.is_numeric_dtype(values) else "category"


def guarded_value(kind: ColumnKind, values: pd.Series) -> np.ndarray[Any, np.dtype[np.float64]]:
    """The quantity whose range is guarded: the number, the seconds since 1970, or the length of the text."""
    if kind == "text":
        return np.asarray(values.str.len(), dtype=np.float64)
    if kind == "date":
        return np.asarray((values - pd.Timestamp(0)) / pd.Timedelta(seconds=1), dtype=np.float64)
    return np.asarray(values, dtype=np.float64)


def _is_closed_set(values: pd.Series) -> list[str] | None:
    """The categories, or none where new ones must be expected: the Good–Turing estimate of the unseen share is the
    share of values seen once (Good 1953), and above 1 % an unseen category is no news."""
    counts = values.value_counts()
    once = int((counts == 1).sum())
    if len(counts) > MAX_CATEGORIES or once > MIN_RECURRING_SHARE * max(len(values), 1):
        return None
    return sorted(map(str, counts.index))


class Schema(StrictModel):
    """The input columns in order, and the name of the group column where the task has one."""

    columns: list[Column]
    group: str | None = None

    @classmethod
    def learn(cls, inputs: pd.DataFrame, group: str | None = None, keys: pd.Series | None = None) -> Self:
        """Learn from the inputs of the training rows (`rows.inputs`); `keys` say which of them belong together."""
        return cls(columns=[Column.learn(str(c), inputs[c], keys) for c in inputs if c != "group"], group=group)

    def names(self) -> list[str]:
        return [c.name for c in self.columns]

    def select(self, rows: pd.DataFrame) -> pd.DataFrame:
        """The inputs of these rows, cast to what training saw; columns that the schema does not know are left aside."""
        lacking = [n for n in self.names() if n not in rows]
        if lacking:
            raise InputError(f"column {lacking[0]!r} is missing. {did_you_mean(lacking[0], map(str, rows.columns))}")
        cast = {c.name: rows[c.name] if c.kind == "text" else parse_column(rows[c.name], c.kind) for c in self.columns}
        group = rows["group"].astype(str) if "group" in rows else "all"
        return pd.DataFrame(cast, index=rows.index).assign(group=group)

    def warnings(self, inputs: pd.DataFrame, quote: bool = True) -> list[list[str]]:
        """Per row, why its inputs should not be trusted to the model; empty lists for ordinary rows.

        Without `quote` no reason holds anything that stands in a text.
        """
        found: list[list[str]] = [[] for _ in range(len(inputs))]
        for column in self.columns:
            for row, why in column.warnings(inputs[column.name], quote).items():
                found[row] += why
        return found

"""What is compared per column: values, missing values, and text statistics such as length."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from credence.data.rows import original_name
from credence.data.schema import Column, Schema
from credence.data.text import UNSPACED, WORD

TraitKind = Literal["number", "category", "date"]
MISSING = "(missing)"
VALUES, GAPS, GROUP = "values", "missing", "group"
LETTERS = re.compile(rf"[{UNSPACED}]|[^\W{UNSPACED}]+")


@dataclass(frozen=True)
class ColumnStatistic:
    """The same statistic of the reference rows and of the window's rows; numbers and dates may be missing."""

    column: str
    name: str
    kind: TraitKind
    before: pd.Series
    now: pd.Series

    @property
    def title(self) -> str:
        """The column, with the statistic's name if it is not the values."""
        return self.column if self.name in (VALUES, GROUP) else f"{self.column} ({self.name})"


def column_statistics(reference: pd.DataFrame, now: pd.DataFrame, schema: Schema) -> list[ColumnStatistic]:
    """All statistics of the typed inputs of reference and window."""
    found = [t for c in schema.columns for t in _of_column(c, reference[c.name], now[c.name])]
    if schema.group is not None and schema.group not in map(original_name, schema.names()):
        found.append(ColumnStatistic(original_name(schema.group), GROUP, "category", reference["group"], now["group"]))
    return found


def _of_column(column: Column, before: pd.Series, now: pd.Series) -> Iterator[ColumnStatistic]:
    name = original_name(column.name)
    if column.kind == "text":
        for trait, measure in TEXT.items():
            yield ColumnStatistic(name, trait, "number", measure(before), measure(now))
        known = set().union(*before.iloc[::2].map(_vocabulary))
        unknown = [texts.map(lambda t: _share(_vocabulary(t) - known, t)) for texts in (before.iloc[1::2], now)]
        yield ColumnStatistic(name, "share of unknown words", "number", *unknown)
        return
    if column.kind == "category":
        yield ColumnStatistic(name, VALUES, "category", before.fillna(MISSING), now.fillna(MISSING))
        return
    yield ColumnStatistic(name, VALUES, column.kind, before, now)
    if before.isna().any() or now.isna().any():
        yield ColumnStatistic(name, GAPS, "category", _gaps(before), _gaps(now))


def _gaps(values: pd.Series) -> pd.Series:
    return pd.Series(np.where(values.isna(), MISSING, "there"), index=values.index)


def _vocabulary(text: str) -> set[str]:
    return set(LETTERS.findall(text.lower()))


def _share(unknown: set[str], text: str) -> float:
    return len(unknown) / max(len(_vocabulary(text)), 1)


def _characters(texts: pd.Series) -> pd.Series:
    return texts.str.len().astype(float)


def _words(texts: pd.Series) -> pd.Series:
    return texts.str.count(WORD.pattern).astype(float)


def _word_length(texts: pd.Series) -> pd.Series:
    return texts.str.count(r"\S") / _words(texts).clip(lower=1)


def _other_signs(texts: pd.Series) -> pd.Series:
    return texts.str.count(r"[^\w\s]|\d") / _characters(texts).clip(lower=1)


def _capitals(texts: pd.Series) -> pd.Series:
    return texts.map(lambda t: sum(map(str.isupper, t))) / _characters(texts).clip(lower=1)


TEXT = {
    "characters": _characters,
    "words": _words,
    "characters per word": _word_length,
    "share of digits and signs": _other_signs,
    "share of capitals": _capitals,
}

"""Detect columns that only identify a row, by name and by values."""

import re

import numpy as np
import pandas as pd

from credence.data.text import median_word_count

ID_WORDS = {"id", "ids", "uuid", "guid", "index", "idx", "key", "rowid", "rownumber", "rownum", "identifier"}
ROW_WORDS = {"number", "no", "num", "nr"}
COUNTER_WORDS = {"row", "record", "case", "line", "serial", "sample"}
NAMELESS_ID = 10_000  # median from which the first column of a table without header may hold ids
MIN_ROWS = 10


def looks_like_id(name: object, values: pd.Series) -> str | None:
    """Return why a typed column looks like a row identifier, or None if it does not."""
    there = values.dropna()
    if len(there) < MIN_ROWS or pd.api.types.is_datetime64_any_dtype(values):
        return None
    words, distinct = split_column_name(str(name)), there.nunique()
    named = bool(words & ID_WORDS) or bool(words & ROW_WORDS and words & COUNTER_WORDS) or words == {"unnamed"}
    if pd.api.types.is_object_dtype(values):
        lone = distinct == len(there) and median_word_count(there) < 6
        return "is different in every row" if lone else _named(named, distinct, there)
    if not np.array_equal(there, np.floor(there.astype("float64"))):
        return None
    low, high = there.min(), there.max()
    if distinct == len(there) and low in (0, 1) and high - low == len(there) - 1:
        return "counts the rows"
    nameless = str(name) == "column_1" and there.median() >= NAMELESS_ID
    return _named(named or nameless, distinct, there)


def _named(named: bool, distinct: int, there: pd.Series) -> str | None:
    return "looks like an id" if named and distinct >= 0.9 * len(there) else None


def split_column_name(name: str) -> set[str]:
    """Split a column name into lower-case words: CustomerId, customer_id and "customer ID" give customer and id."""
    return {w.lower() for w in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)}

"""The format of a column's values, learned from the first rows and applied to every chunk of a file."""

import re
from collections import Counter
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from credence.core.registry import StrictModel
from credence.data.parsing.dates import YEAR_LAST, parse_dates
from credence.data.parsing.numbers import (
    BOOLEAN_WORDS,
    EXACT,
    SEPARATORS,
    ZERO_FIRST,
    digits_pattern,
    dot_is_thousands_separator,
    match_number,
    sign_and_unit,
)
from credence.data.schema import MISSING, parse_column

PLAIN = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
MAX_NUMBER = 1e30  # as over HTTP
DAY_FIRST, MONTH_FIRST = "31/12/2000", "12/31/2000"

ParsedCell = tuple[pd.Series, NDArray[np.bool_]]


class NumberFormat(StrictModel):
    """The format of a number column.

    Numbers are plain, or have `marks` (thousands and decimal separator), a currency and a unit, as in 1.234,5 €.
    With `flags`, true and false are 1 and 0.
    """

    flags: bool = False
    marks: tuple[str, str] | None = None
    currency: str | None = None
    unit: str = ""

    @classmethod
    def learn(cls, values: pd.Series, flags: bool) -> "NumberFormat":
        """Choose the format that fits most values; of several, the one that `parse_numbers` tries first.

        Args:
            values: The column in the first rows.
            flags: Whether true and false are numbers.
        """
        words = [w for value in values if isinstance(value, str) and (w := _word(value))]
        if not words or (all(map(PLAIN.fullmatch, words)) and not dot_is_thousands_separator(pd.Series(words))):
            return cls(flags=flags)
        found = [m for word in words if (m := match_number(word))]
        if not found:
            return cls(flags=flags)
        (currency, unit), _ = Counter(sign_and_unit(m)[1] for m in found).most_common(1)[0]
        dotted = dot_is_thousands_separator(pd.Series([m["digits"] for m in found]))
        marked = [cls(marks=marks, currency=currency, unit=unit) for marks in (((".", ","),) if dotted else SEPARATORS)]
        styles = marked if dotted else [cls(flags=flags), *marked]
        return max(styles, key=lambda style: sum(style.value(word) is not None for word in words))

    def read(self, values: pd.Series) -> ParsedCell:
        """Return the values as float64, and which of them are not numbers or beyond 1e30."""
        if pd.api.types.is_timedelta64_dtype(values):
            values = values.dt.total_seconds()
        found, wrong = self._quick(values), np.zeros(len(values), bool)
        if found is None:
            cells = [self._cell(value) for value in values]
            found, wrong = np.array(cells, np.float64), np.array([cell is None for cell in cells], bool)
        return pd.Series(found, index=values.index, name=values.name), wrong | (np.abs(found) > MAX_NUMBER)

    def value(self, word: str) -> float | None:
        """Parse one word; return None if it does not have this format."""
        if self.marks is None:
            flag = BOOLEAN_WORDS.get(word.lower()) if self.flags else None
            return float(word) if PLAIN.fullmatch(word) else flag
        found = match_number(word)
        sign, unit = sign_and_unit(found) if found else (1.0, None)
        if not found or unit != (self.currency, self.unit):
            return None
        value = _parse_digits(found["digits"], *self.marks)
        return None if value is None else sign * value

    def _quick(self, values: pd.Series) -> NDArray[np.float64] | None:
        """Convert all values at once if the result equals that of one at a time; otherwise return None."""
        if pd.api.types.is_numeric_dtype(values) and (self.flags or values.dtype != bool):
            return values.to_numpy(np.float64, na_value=np.nan)
        if self.marks is not None or values.dtype != object or any(type(v) is bool or "_" in str(v) for v in values):
            return None
        try:
            return np.array([np.nan if v is None else float(v) for v in values], np.float64)
        except (TypeError, ValueError):
            return None

    def _cell(self, value: Any) -> float | None:
        """Return the number, NaN for a missing value, and None for anything else."""
        if isinstance(value, str):
            word = _word(value)
            return np.nan if word is None else self.value(word)
        if isinstance(value, (bool, np.bool_)) and not self.flags:
            return None
        try:
            return np.nan if pd.isna(value) else float(value)
        except (TypeError, ValueError):
            return None


class DateFormat(StrictModel):
    """The format of a date column: whether the day comes before the month."""

    day_first: bool = False

    @classmethod
    def learn(cls, values: pd.Series) -> "DateFormat":
        """Decide by the values of the first rows, as `parse_dates` does."""
        if pd.api.types.is_datetime64_any_dtype(values):
            return cls()
        words = parse_column(values, "category").dropna().unique()
        return cls(day_first=parse_dates(pd.Series([*words, "01/02/2000"])).iloc[-1].month == 2)

    def read(self, values: pd.Series) -> ParsedCell:
        """Return the values as datetime64 in UTC, and which of them are not dates or have another order."""
        if pd.api.types.is_datetime64_any_dtype(values):
            return parse_column(values, "date"), np.zeros(len(values), bool)
        words = parse_column(values, "category")
        there = words.notna().to_numpy()
        fits = words.map(lambda word: word is not None and self._fits(word)).to_numpy(bool)
        witness = pd.Series([DAY_FIRST if self.day_first else MONTH_FIRST])
        found = parse_dates(pd.concat([witness, words.where(fits, None)])).iloc[1:]
        found.name = values.name
        return found, there & (~fits | found.isna().to_numpy())

    def _fits(self, word: str) -> bool:
        found = YEAR_LAST.match(word)
        return bool(re.search(r"\d", word)) and (found is None or int(found[3 if self.day_first else 1]) <= 12)


class TextFormat(StrictModel):
    """The format of a category column: words, or the numbers or booleans that a text table writes as words."""

    form: Literal["words", "numbers", "flags"] = "words"

    @classmethod
    def learn(cls, values: pd.Series, cells: bool) -> "TextFormat":
        """Learn from the values of the first rows; `cells` says whether they come from a text table."""
        there = [str(value) for value in values.dropna()] if cells else []
        if not there or dot_is_thousands_separator(pd.Series(there)):
            return cls()
        if all(word.lower() in BOOLEAN_WORDS for word in there):
            return cls(form="flags")
        return cls(form="numbers" if all(map(_is_lossless_number, there)) else "words")

    def read(self, values: pd.Series) -> ParsedCell:
        """Return the values as words, None for missing ones; the second array is all False."""
        return parse_column(self.typed(values), "category"), np.zeros(len(values), bool)

    def typed(self, values: pd.Series) -> pd.Series:
        """Convert words to the numbers or booleans that they denote."""
        if self.form == "flags":
            return values.map(lambda word: BOOLEAN_WORDS.get(word.lower(), word), "ignore").astype(object)
        if self.form == "numbers":
            return values.map(lambda word: float(word) if _is_lossless_number(word) else word, "ignore").astype(object)
        return values


def _is_lossless_number(word: str) -> bool:
    """Return whether a word is a number that float64 holds exactly: not 00123, nor 17 digits."""
    return bool(PLAIN.fullmatch(word)) and not ZERO_FIRST.match(word) and abs(float(word)) < EXACT


def _word(value: str) -> str | None:
    word = value.strip()
    return None if word.lower() in MISSING else word


def _parse_digits(digits: str, group: str, decimal: str) -> float | None:
    if not re.fullmatch(digits_pattern(group, decimal), digits):
        return None
    return float(digits.replace(group, "").replace(decimal, ".") if group else digits.replace(decimal, "."))

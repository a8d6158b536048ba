"""How a column's values are written: learned once from the first rows, so that every piece is read alike."""

import re
from collections import Counter
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from credence.core.registry import StrictModel
from credence.data.parsing.dates import YEAR_LAST, parse_dates
from credence.data.parsing.numbers import (
    BLANKS,
    EXACT,
    NUMBER_PATTERN,
    QUOTES,
    SEPARATORS,
    ZERO_FIRST,
    dot_is_thousands_separator,
)
from credence.data.schema import MISSING, parse_column

BOOLEAN_WORDS = {"true": True, "false": False}
PLAIN = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
MAX_EXACT_INTEGER = 1e30  # as over HTTP
DAY_FIRST, MONTH_FIRST = "31/12/2000", "12/31/2000"

ParsedCell = tuple[pd.Series, NDArray[np.bool_]]


class NumberFormat(StrictModel):
    """Plain numbers, or such as 1.234,5 €: one mark for thousands, one for decimals, one unit. A column of nothing but
    0 and 1 takes true and false too."""

    flags: bool = False
    marks: tuple[str, str] | None = None
    currency: str | None = None
    unit: str = ""

    @classmethod
    def learn(cls, values: pd.Series, flags: bool) -> "NumberFormat":
        """The spelling that most words fit; of several, the one that `numerals` would try first."""
        words = [w for value in values if isinstance(value, str) and (w := _word(value))]
        if not words or (all(map(PLAIN.fullmatch, words)) and not dot_is_thousands_separator(pd.Series(words))):
            return cls(flags=flags)
        found = [m for word in words if (m := NUMBER_PATTERN.fullmatch(_blank(word)))]
        if not found:
            return cls(flags=flags)
        (currency, unit), _ = Counter((m["currency"], m["unit"].strip()) for m in found).most_common(1)[0]
        dotted = dot_is_thousands_separator(pd.Series([m["digits"] for m in found]))
        marked = [cls(marks=marks, currency=currency, unit=unit) for marks in (((".", ","),) if dotted else SEPARATORS)]
        styles = marked if dotted else [cls(flags=flags), *marked]
        return max(styles, key=lambda style: sum(style.value(word) is not None for word in words))

    def read(self, values: pd.Series) -> ParsedCell:
        """The values as float64, and which of them are no numbers."""
        if pd.api.types.is_timedelta64_dtype(values):
            values = values.dt.total_seconds()
        found, wrong = self._quick(values), np.zeros(len(values), bool)
        if found is None:
            cells = [self._cell(value) for value in values]
            found, wrong = np.array(cells, np.float64), np.array([cell is None for cell in cells], bool)
        return pd.Series(found, index=values.index, name=values.name), wrong | (np.abs(found) > MAX_EXACT_INTEGER)

    def value(self, word: str) -> float | None:
        """The number that a word spells, or None."""
        if self.marks is None:
            flag = BOOLEAN_WORDS.get(word.lower()) if self.flags else None
            return float(word) if PLAIN.fullmatch(word) else flag
        found = NUMBER_PATTERN.fullmatch(_blank(word))
        if not found or (found["currency"], found["unit"].strip()) != (self.currency, self.unit):
            return None
        value = _marked(found["digits"], *self.marks)
        return -value if value is not None and (found["owed"] or found["minus"] or found["less"]) else value

    def _quick(self, values: pd.Series) -> NDArray[np.float64] | None:
        """The values in one go, where that cannot differ from reading them one by one."""
        if pd.api.types.is_numeric_dtype(values) and (self.flags or values.dtype != bool):
            return values.to_numpy(np.float64, na_value=np.nan)
        if self.marks is not None or values.dtype != object or any(type(v) is bool or "_" in str(v) for v in values):
            return None
        try:
            return np.array([np.nan if v is None else float(v) for v in values], np.float64)
        except (TypeError, ValueError):
            return None

    def _cell(self, value: Any) -> float | None:
        """The number, NaN for nothing, and None for what is no number."""
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
    """Which of two small numbers is the day."""

    day_first: bool = False

    @classmethod
    def learn(cls, values: pd.Series) -> "DateFormat":
        """By the first rows, as `parse_dates` would decide."""
        if pd.api.types.is_datetime64_any_dtype(values):
            return cls()
        words = parse_column(values, "category").dropna().unique()
        return cls(day_first=parse_dates(pd.Series([*words, "01/02/2000"])).iloc[-1].month == 2)

    def read(self, values: pd.Series) -> ParsedCell:
        """The values as UTC moments, and which of them are no dates or contradict the order of the first rows."""
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
    """Cells of a text table may spell numbers or flags; elsewhere a word is a word."""

    form: Literal["words", "numbers", "flags"] = "words"

    @classmethod
    def learn(cls, values: pd.Series, cells: bool) -> "TextFormat":
        """What the first rows of a text table spell."""
        there = [str(value) for value in values.dropna()] if cells else []
        if not there or dot_is_thousands_separator(pd.Series(there)):
            return cls()
        if all(word.lower() in BOOLEAN_WORDS for word in there):
            return cls(form="flags")
        return cls(form="numbers" if all(map(_is_number, there)) else "words")

    def read(self, values: pd.Series) -> ParsedCell:
        """The values as words, None where nothing is said; every value is one."""
        return parse_column(self.meant(values), "category"), np.zeros(len(values), bool)

    def meant(self, values: pd.Series) -> pd.Series:
        """The values that the cells spell."""
        if self.form == "flags":
            return values.map(lambda word: BOOLEAN_WORDS.get(word.lower(), word), "ignore").astype(object)
        if self.form == "numbers":
            return values.map(lambda word: float(word) if _is_number(word) else word, "ignore").astype(object)
        return values


def _is_number(word: str) -> bool:
    """Whether a number holds all of the word: not 00123, nor 17 digits."""
    return bool(PLAIN.fullmatch(word)) and not ZERO_FIRST.match(word) and abs(float(word)) < EXACT


def _word(value: str) -> str | None:
    word = value.strip()
    return None if word.lower() in MISSING else word


def _blank(word: str) -> str:
    return QUOTES.sub("'", BLANKS.sub(" ", word))


def _marked(digits: str, group: str, decimal: str) -> float | None:
    """The value of digits that are set off by these marks."""
    whole = rf"\d{{1,3}}(?:{re.escape(group)}\d{{3}})+|\d+" if group else r"\d+"
    if not re.fullmatch(rf"(?:{whole})?(?:{re.escape(decimal)}\d+)?", digits):
        return None
    return float(digits.replace(group, "").replace(decimal, ".") if group else digits.replace(decimal, "."))

"""Parse dates in many formats; the order of day and month is decided per column."""

import re

import pandas as pd

MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?"
NUMERIC = r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}([-/.])\d{1,2}\1(?:\d{4}|\d{2})"
NAMED = rf"(?:[a-z]{{3,9}}, ?)?(?:\d{{1,2}}[ -]{MONTH},?[ -]\d{{2,4}}|{MONTH} \d{{1,2}},? \d{{4}})"
DATE = re.compile(rf"(?:{NUMERIC}|{NAMED})(?:(?:T|,? )\d{{1,2}}:\d{{2}}.*)?", re.IGNORECASE)
YEAR_LAST = re.compile(r"(\d{1,2})([-/.])(\d{1,2})[-/.](\d{4}|\d{2})(?!\d)")


def all_dates(words: pd.Series) -> bool:
    """Return whether there are words and all of them have the format of a date."""
    return bool(len(words)) and bool(words.map(lambda word: DATE.fullmatch(word) is not None).all())


def parse_dates(words: pd.Series) -> pd.Series:
    """Parse words as datetime64 in UTC without a time zone; NaT if a word is not a date.

    In dates such as 03/02/2024 the day is first if other dates of the column start with a number above 12. Without
    such a date, the day is first if dots separate the numbers.
    """
    first = _day_first(words.dropna())
    ordered = words.map(lambda word: _year_first(word, first), na_action="ignore")
    return pd.to_datetime(ordered, errors="coerce", format="mixed", utc=True).dt.tz_localize(None)


def is_day_month_ambiguous(word: str) -> bool:
    """Return whether day and month could be swapped, as in 03/02/2024."""
    found = YEAR_LAST.match(word.strip())
    return found is not None and found[1] != found[3] and max(int(found[1]), int(found[3])) <= 12


def _year_first(word: str, day_first: bool) -> str:
    """Rewrite 31/1/2024 as 2024-01-31, because pandas parses it slowly and guesses the order per value."""
    if not (found := YEAR_LAST.match(word)):
        return word
    one, other, year = int(found[1]), int(found[3]), found[4]
    month, day = (other, one) if day_first else (one, other)
    month, day = (day, month) if month > 12 else (month, day)
    century = "" if len(year) == 4 else "19" if int(year) > 68 else "20"
    return f"{century}{year}-{month:02}-{day:02}{word[found.end() :]}"


def _day_first(words: pd.Series) -> bool:
    """Decide by the numbers above 12; without any, dots are European and other separators American."""
    found = [m for word in words.unique() if (m := YEAR_LAST.match(word))]
    first, second = sum(int(m[1]) > 12 for m in found), sum(int(m[3]) > 12 for m in found)
    return first > second if first != second else any(m[2] == "." for m in found)

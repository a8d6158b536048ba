"""Dates as people write them: the day is where the column shows it, and a lone 03/02 tells nothing."""

import datetime as dt

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bentos.schema.json_values import parse_json_value
from credence.core.errors import InputError
from credence.data.parsing.dates import all_dates, is_day_month_ambiguous
from credence.data.schema import Column, parse_column

DAYS = st.dates(dt.date(1970, 1, 1), dt.date(2068, 12, 31))
SEEN = Column(name="seen", kind="date", nullable=False)


def read(*words: str) -> list[str]:
    return [str(moment) for moment in parse_column(pd.Series(words, dtype=object, name="seen"))]


@pytest.mark.parametrize(
    ("words", "first"),
    [
        (("03/02/2023", "13/02/2023"), "2023-02-03 00:00:00"),
        (("03/02/2023", "02/13/2023"), "2023-03-02 00:00:00"),
        (("03/02/2023",), "2023-03-02 00:00:00"),
        (("3.2.2023",), "2023-02-03 00:00:00"),
        (("3.2.23", "4.2.99"), "2023-02-03 00:00:00"),
        (("03-02-2023 10:30", "25-02-2023 11:00"), "2023-02-03 10:30:00"),
        (("05 Jan 2023", "6-Feb-23"), "2023-01-05 00:00:00"),
        (("January 05, 2023",), "2023-01-05 00:00:00"),
        (("Thu, 05 Jan 2023 10:00:00 GMT",), "2023-01-05 10:00:00"),
        (("1/22/2023 5:30 PM",), "2023-01-22 17:30:00"),
        (("2023-02-03T01:00:00+02:00",), "2023-02-02 23:00:00"),
        (("2023/2/3",), "2023-02-03 00:00:00"),
    ],
)
def test_the_day_is_where_the_column_shows_it(words: tuple[str, ...], first: str) -> None:
    assert read(*words)[0] == first


@given(st.lists(DAYS, min_size=1, max_size=20), st.sampled_from(["%d/%m/%Y", "%m/%d/%Y", "%d.%m.%y", "%d-%m-%Y %H:%M"]))
def test_a_column_with_one_telling_day_is_read_right(days: list[dt.date], style: str) -> None:
    days = [*days, dt.date(2024, 1, 31)]
    assert read(*(day.strftime(style) for day in days)) == [f"{day} 00:00:00" for day in days]


@pytest.mark.parametrize(
    "words",
    [["13:45"], ["10-14"], ["Sat 5"], ["may be", "mar"], ["5 Jan"], ["1.2.3.4"], ["1.2.3", "1.10.0"], ["1-2/2023"], []],
)
def test_what_is_no_date(words: list[str]) -> None:
    assert not all_dates(pd.Series(words, dtype=object))


def test_what_is_no_date_is_named() -> None:
    with pytest.raises(InputError, match="row 2: '31/31/2023' is not a date; expected one such as 2024-01-31"):
        read("01/02/2023", "31/31/2023")


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("03/02/2024", False),
        ("3.2.24", False),
        ("13/02/2024", True),
        ("02/02/2024", True),
        ("2024-03-02", True),
        ("3 Feb 2024", True),
    ],
)
def test_a_request_must_say_which_number_is_the_day(word: str, told: bool) -> None:
    assert is_day_month_ambiguous(word) is not told
    if told:
        assert parse_json_value(SEEN, word) == word
    else:
        with pytest.raises(ValueError, match=f"year first, for '{word}' could be read in two ways"):
            parse_json_value(SEEN, word)

"""However a column is cut, its values are read alike, and as training reads the whole of it."""

from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from credence.data.column_formats import DateFormat, NumberFormat, TextFormat
from credence.data.parsing.dates import parse_dates
from credence.data.schema import parse_column

NUMBERS = st.floats(-1e6, 1e6, allow_nan=False).map(lambda v: round(v, 2))
STYLES = [
    lambda v: f"{v:.2f}",
    lambda v: f"{v:,.2f}",
    lambda v: f"{v:.2f} €",
    lambda v: f"${v:,.2f}",
    lambda v: f"{v:,.2f}".translate(str.maketrans(",.", ".,")),
    lambda v: f"{v:.2f}".replace(".", ","),
    lambda v: f"{v:,.2f}".replace(",", "\u00a0"),
    lambda v: f"({abs(v):.2f})" if v < 0 else f"{v:.2f}",
]


def column(*values: Any) -> pd.Series:
    return pd.Series(list(values), dtype=object, name="x")


@given(st.lists(NUMBERS, min_size=1, max_size=30), st.sampled_from(STYLES), st.data())
def test_numbers_are_read_as_training_reads_the_whole_column(values: list[float], style: Any, data: Any) -> None:
    words = column(*map(style, values), None, "n/a")
    truth = parse_column(words, "number")
    found, wrong = NumberFormat.learn(words, False).read(words)
    assert not wrong.any()
    np.testing.assert_allclose(found, truth, rtol=1e-15)
    np.testing.assert_array_equal(found.isna(), words.isin([None, "n/a"]))
    cut = data.draw(st.integers(0, len(words)))
    spelling = NumberFormat.learn(words, False)
    parts = [spelling.read(part)[0] for part in (words[:cut], words[cut:])]
    pd.testing.assert_series_equal(pd.concat(parts), found)


def test_a_later_spelling_is_wrong_and_not_read_in_another_way() -> None:
    """1,234 means 1.234 beside 1,5 and 1234 beside 1,000.5: only the first rows may say which."""
    for head, later, truth in ((["1,5", "2,25"], "1,234", 1.234), (["1,000.5", "7"], "1,234", 1234.0)):
        spelling = NumberFormat.learn(column(*head), False)
        assert spelling.read(column(later))[0].tolist() == [truth]
    spelling = NumberFormat.learn(column("1.5", "2"), False)
    found, wrong = spelling.read(column("3", "1,5", "2 kg", "inf", "1e31", "1_000", "true", None))
    assert wrong.tolist() == [False, True, True, True, True, True, True, False]
    assert found[0] == 3 and found.isna()[[1, 2, 5, 6, 7]].all()
    euros = NumberFormat.learn(column("1,50 €", "2,00 €"), False)
    assert euros.read(column("3,50 $", "3,50", "4,50 €"))[1].tolist() == [True, True, False]


def test_most_of_the_first_rows_decide() -> None:
    spelling = NumberFormat.learn(column("1,5", "oops", "2,5", "3,25"), False)
    found, wrong = spelling.read(column("1,5", "oops"))
    assert found[0] == 1.5 and wrong.tolist() == [False, True]


def test_dotted_thousands_hold_for_all_pieces() -> None:
    words = column(*(f"{v:,}".replace(",", ".") for v in range(100, 90_000, 1900)))
    spelling = NumberFormat.learn(words, False)
    np.testing.assert_array_equal(spelling.read(words)[0], parse_column(words, "number"))
    assert spelling.read(column("24.000"))[0].tolist() == [24_000]


def test_flags_are_one_and_nought_where_training_saw_nothing_else() -> None:
    found, wrong = NumberFormat.learn(column("true"), True).read(column("TRUE", "false", True, 0, "1"))
    assert found.tolist() == [1, 0, 1, 0, 1] and not wrong.any()
    assert NumberFormat.learn(column("3"), False).read(column("true", True))[1].all()


def test_numbers_that_are_numbers_already_stay_so() -> None:
    spelling = NumberFormat.learn(pd.Series([1, 2]), False)
    assert spelling.read(pd.Series([1, 2]))[0].tolist() == [1.0, 2.0]
    found, wrong = spelling.read(column(1, 2.5, None, np.nan, pd.Timestamp(0), [1]))
    assert found[:2].tolist() == [1, 2.5] and wrong.tolist() == [False] * 4 + [True] * 2
    assert spelling.read(pd.Series(pd.to_timedelta(["90s"])))[0].tolist() == [90.0]
    assert spelling.read(pd.Series([1.0, np.inf]))[1].tolist() == [False, True]


@given(st.lists(st.dates(date(1980, 1, 1), date(2060, 1, 1)), min_size=1), st.sampled_from("/.-"))
def test_dates_are_read_as_training_reads_the_whole_column(values: list[Any], mark: str) -> None:
    words = column(*(f"{d.day:02}{mark}{d.month:02}{mark}{d.year}" for d in values))
    spelling = DateFormat.learn(words)
    truth = parse_dates(words)
    found, wrong = spelling.read(words)
    assert not wrong.any()
    assert found.tolist() == truth.tolist()
    assert [spelling.read(words[[i]])[0].iloc[0] for i in range(len(words))] == truth.tolist()


def test_a_date_against_the_order_of_the_first_rows_is_wrong() -> None:
    european = DateFormat.learn(column("31/01/2024", "02/03/2024"))
    assert european.read(column("03/04/2024"))[0][0] == pd.Timestamp("2024-04-03")
    later = column("12/31/2024", "now", "30/02/2024", "2024-05-06", None, "soon")
    assert european.read(later)[1].tolist() == [True, True, True, False, False, True]
    american = DateFormat.learn(column("01/31/2024"))
    assert american.read(column("31/01/2024"))[1].tolist() == [True]
    stamps = pd.Series(pd.to_datetime(["2024-01-31", None]))
    assert DateFormat.learn(stamps).read(stamps)[0].equals(stamps)


@given(st.lists(st.sampled_from(["1", "1.0", "2.50", "007", "x", "TRUE", "false", "NA", None]), min_size=1))
def test_words_do_not_depend_on_the_cut(words: list[Any]) -> None:
    spelling = TextFormat.learn(column("1", "2.5", "1.0"), cells=True)
    found = spelling.read(column(*words))[0].tolist()
    assert found == [spelling.read(column(word))[0][0] for word in words]


def test_cells_are_the_numbers_and_flags_that_they_spell() -> None:
    """A category of training's table is 1 whether a cell says 1 or 1.0; a word of JSON is a word."""
    numbers = TextFormat.learn(column("1", "2.5", None), cells=True)
    assert numbers.read(column("1.0", "2.50", "007", "x"))[0].tolist() == ["1", "2.5", "007", "x"]
    flags = TextFormat.learn(column("true", "FALSE"), cells=True)
    assert flags.read(column("TRUE", "no"))[0].tolist() == ["True", "no"]
    for head in (column("a", "1"), column("007"), column("12345678901234567"), column(None)):
        assert TextFormat.learn(head, cells=True).form == "words"
    assert TextFormat.learn(column("1.0"), cells=False).read(column("1.0", 1.0, True))[0].tolist() == [
        "1.0",
        "1",
        "True",
    ]


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False).map(repr), min_size=1))
def test_every_float_comes_back_exactly(words: list[str]) -> None:
    assume(all(abs(float(w)) <= 1e30 for w in words))
    assert NumberFormat().read(column(*words))[0].tolist() == [float(word) for word in words]


@pytest.mark.parametrize("word", ["1e5", "+3", ".5", "5.", "-0.0"])
def test_plain_spellings(word: str) -> None:
    assert NumberFormat().read(column(word))[0][0] == float(word)

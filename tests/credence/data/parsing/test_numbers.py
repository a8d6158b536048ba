"""Numbers as people write them: one reading per column, and words stay words."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from credence.core.errors import InputError
from credence.data.parsing.numbers import SEPARATORS, parse_numbers
from credence.data.schema import parse_column

AMOUNTS = st.lists(st.integers(-(10**9), 10**9).map(lambda cents: cents / 100), min_size=1, max_size=20)


def series(*words: str) -> pd.Series:
    return pd.Series(words, dtype=object, name="amount")


@pytest.mark.parametrize(
    ("words", "values"),
    [
        (("1.234,50", "2,5", "-3,25"), [1234.5, 2.5, -3.25]),
        (("1.234,5", "2.500"), [1234.5, 2500]),
        (("1,234", "5,678,901.5"), [1234, 5678901.5]),
        (("1,5", "1,234"), [1.5, 1.234]),
        (("1 234,5", "12"), [1234.5, 12]),
        (("1\u202f234", "1\u00a0234\u00a0567"), [1234, 1234567]),
        (("1'234.50", "1’000.00"), [1234.5, 1000]),
        (("$1,200", "-$5", "$ 0.99"), [1200, -5, 0.99]),
        (("1.200,00 €", "3,50 €"), [1200, 3.5]),
        (("EUR 5", "EUR 1,000"), [5, 1000]),
        (("12.5%", "3 %", "-0.1%"), [12.5, 3, -0.1]),
        (("70.1 kg", "68 kg"), [70.1, 68]),
        (("36 months", "60 months"), [36, 60]),
        (("21.5 °C", "-3 °C"), [21.5, -3]),
        (("(1,200)", "30"), [-1200, 30]),
        (("−4,5", "4,5"), [-4.5, 4.5]),
        (("$.50", "$1.00"), [0.5, 1]),
    ],
)
def test_a_column_written_in_one_way_is_numbers(words: tuple[str, ...], values: list[float]) -> None:
    found = parse_numbers(series(*words))
    assert found is not None
    assert found.tolist() == values


@pytest.mark.parametrize(
    "words",
    [
        ("5A", "5B"),
        ("5 kg", "5 g"),
        ("$5", "€5"),
        ("5", "5 kg"),
        ("10.1.2.3",),
        ("u001", "u002"),
        ("+49 123 456",),
        ("1,23,456",),
        ("12,34,5",),
        ("1.234,5", "1,234.5"),
        ("<30", "30-50"),
        ("13:45",),
        ("$007", "$12"),
        ("(5", "6)"),
        ("2024-01-02",),
        ("02.01.2024",),
        ("3 rooms, 2 baths",),
        ("1 2",),
        ("kg",),
        ("00123", "5"),
    ],
)
def test_codes_ranges_and_mixtures_stay_words(words: tuple[str, ...]) -> None:
    assert parse_numbers(series(*words)) is None
    assert not pd.api.types.is_numeric_dtype(parse_column(series(*words)))


@given(AMOUNTS, st.sampled_from([marks for marks in SEPARATORS if marks[0]]), st.sampled_from(["", "€", " kg", "%"]))
def test_what_is_written_in_any_style_is_read_again(values: list[float], marks: tuple[str, str], unit: str) -> None:
    swap = str.maketrans({",": marks[0], ".": marks[1]})
    found = parse_numbers(series(*(f"{v:,.2f}".translate(swap) + unit for v in values)))
    assert found is not None
    np.testing.assert_allclose(found, values)


def test_dots_may_set_off_thousands() -> None:
    words = [f"{v:,}".replace(",", ".") for v in range(100, 90_000, 1900)]
    for unit in ("", " €"):
        found = parse_numbers(series(*(word + unit for word in words)))
        assert found is not None
        assert found.tolist() == list(range(100, 90_000, 1900))
    for decimals in ([*words, "2.5"], [*words, "2400"], [*words, "0.125"], words[1:], words[:5]):
        found = parse_numbers(series(*decimals))
        assert found is not None
        assert found.iloc[1] == float(decimals[1])


def test_numbers_too_long_to_be_exact_are_codes() -> None:
    assert parse_numbers(series("90071992547409931", "90071992547409932")) is None
    assert parse_numbers(series("1e17", "3.5")) is not None


def test_missing_words_do_not_stop_numbers() -> None:
    assert parse_column(series("$1,200", "n/a", "$900")).tolist()[::2] == [1200, 900]


def test_true_and_false_are_numbers_also_with_gaps() -> None:
    found = parse_column(pd.Series([True, None, False], dtype=object))
    assert found.tolist()[::2] == [1.0, 0.0]
    assert np.isnan(found[1])
    assert parse_column(pd.Series([True, "maybe"], dtype=object)).tolist() == ["True", "maybe"]


def test_durations_are_seconds() -> None:
    assert parse_column(pd.Series(pd.to_timedelta(["1h", None, "90s"]))).tolist()[::2] == [3600, 90]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("$1,200", "soon"), "column 'amount', row 2: 'soon' is not a number."),
        (("3", "4 kg", "5 g"), "column 'amount', row 2: '4 kg' is not a number written like the others."),
    ],
)
def test_what_is_no_number_is_named(words: tuple[str, ...], says: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_column(series(*words), "number")
    assert str(caught.value) == says

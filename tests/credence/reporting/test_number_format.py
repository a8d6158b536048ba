"""Numbers read as people write them."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credence.reporting.number_format import format_interval, format_number, format_percent, format_spread, plural


@pytest.mark.parametrize(
    ("x", "text"),
    [
        (12345.6, "12,346"),
        (0.98123, "0.981"),
        (0.0000123, "1.23e−05"),
        (9.996, "10.0"),
        (0.9996, "1.00"),
        (0, "0"),
        (0.0, "0"),
        (7, "7"),
        (1234567, "1,234,567"),
        (-0.25, "−0.250"),
        (None, "–"),
        (math.nan, "–"),
        (math.inf, "∞"),
    ],
)
def test_number(x: float | None, text: str) -> None:
    assert format_number(x) == text


@given(st.floats(1e-4, 1e9))
def test_three_digits_are_within_half_a_percent(x: float) -> None:
    assert float(format_number(x).replace(",", "")) == pytest.approx(x, rel=0.0051)


def test_an_interval_has_the_places_of_its_value() -> None:
    assert format_spread(0.98123, 0.95, 0.99612) == "0.981 (0.950–0.996)"
    assert format_interval(1234.5, 999.0, 1500.0) == "999 to 1,500"
    assert format_spread(-0.5, -1.25, 0.2) == "−0.500 (−1.250–0.200)"
    assert format_interval(0.0, 0.0, 0.0212) == "0 to 0.0212"


def test_what_is_absent_is_a_dash() -> None:
    assert format_spread(None, None, None) == "–"
    assert format_spread(0.5, None, None) == "0.500"
    assert format_percent(None) == "–"


def test_plural_and_percent() -> None:
    assert plural(1, "row") == "1 row"
    assert plural(2000, "row") == "2,000 rows"
    assert plural(2, "category", "categories") == "2 categories"
    assert format_percent(0.9) == "90.0 %"
    assert format_percent(0.9, 2) == "90 %"

"""Prices: exact sums, an upper bound before the call, and no call whose price is unknown."""

import datetime
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credence.core.errors import InputError
from credence.core.yaml_loader import load_yaml
from credence.generation.llm.messages import Usage
from credence.generation.llm.prices import DOLLAR, PRICES, Price, dollars, input_tokens, price_of, read_on
from tests.fakes.virtual_clock import request

rates = st.decimals(0, 200, places=4).map(float)


def test_every_price_in_the_file_is_usable_and_the_file_is_dated() -> None:
    for model in load_yaml(PRICES)["models"]:
        known = price_of(model)
        assert known.cached is None or known.cached <= known.input <= known.output
    assert read_on() <= datetime.date.today() + datetime.timedelta(days=1)


def test_what_a_call_costs() -> None:
    usage = Usage(input=1_000_000, output=100_000, cached=400_000, reasoning=50_000)
    assert Price(input=2, cached=0.5, output=10).cost(usage) == round((0.6 * 2 + 0.4 * 0.5 + 1) * DOLLAR)
    assert Price(input=2, output=10).cost(usage) == 3 * DOLLAR


def test_a_model_without_a_price_is_refused_by_name() -> None:
    with pytest.raises(InputError, match=r"model 'gpt-5-mimi'.*Did you mean 'gpt-5-mini'\?"):
        price_of("gpt-5-mimi")


def test_offline_is_free() -> None:
    assert price_of("arithmetic").most(request()) == 0


@given(rates, rates, st.none() | rates, st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**6))
def test_costs_are_rounded_up_by_less_than_a_billionth(
    dear: float, output: float, cached: float | None, fresh: int, hit: int, out: int
) -> None:
    known = Price(input=dear, output=output, cached=cached)
    usage = Usage(input=fresh + hit, output=out, cached=hit)
    parts = [(fresh, dear), (hit, dear if cached is None else cached), (out, output)]
    exact = sum(n * Fraction(str(rate)) for n, rate in parts) * 1000
    assert exact <= known.cost(usage) < exact + 1


@given(rates, rates, st.none() | rates, st.text(max_size=200), st.integers(1, 5000), st.data())
def test_no_usage_within_the_estimate_costs_more_than_the_reservation(
    dear: float, output: float, cached: float | None, user: str, most: int, data: st.DataObject
) -> None:
    known, asked = Price(input=dear, output=output, cached=cached), request(user=user, max_tokens=most)
    used = data.draw(st.integers(0, input_tokens(asked)))
    usage = Usage(input=used, cached=data.draw(st.integers(0, used)), output=data.draw(st.integers(0, most)))
    assert known.cost(usage) <= known.most(asked)


def test_the_schema_is_sent_and_so_it_counts() -> None:
    plain = request()
    assert input_tokens(plain.model_copy(update={"schema_": {"type": "object"}})) > input_tokens(plain)


@pytest.mark.parametrize(
    ("nano", "text"), [(0, "$0.00"), (1_500_000_000, "$1.50"), (12_300_000, "$0.0123"), (1234 * DOLLAR, "$1,234.00")]
)
def test_money_is_shown_as_dollars(nano: int, text: str) -> None:
    assert dollars(nano) == text

"""Distances, p-values and the family of all comparisons: as the textbooks say, and no alarm without cause."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, chi2_contingency, ks_2samp

from credence.production.monitoring.hypothesis_tests import (
    OTHERS,
    category_shares,
    chi2_test,
    ks_test,
    two_sample_test,
)

ROWS = st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=60)
WORDS = st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=60)


@given(ROWS, ROWS)
def test_the_distance_is_kolmogorovs(before: list[float], now: list[float]) -> None:
    distance, p = ks_test(np.array(before), np.array(now), len(now))
    assert distance == pytest.approx(ks_2samp(before, now).statistic)
    assert 0 <= p <= 1


@given(ROWS)
def test_a_sample_does_not_differ_from_itself(rows: list[float]) -> None:
    distance, p = two_sample_test(pd.Series(rows), pd.Series(rows), 1.0)
    assert distance == pytest.approx(0) and p > 0.99


def test_kolmogorovs_p_value_is_close_to_the_exact_one() -> None:
    random = np.random.default_rng(0)
    for shift in (0.0, 0.1, 0.3):
        before, now = random.normal(size=200), random.normal(shift, 1, 150)
        assert ks_test(before, now, 150)[1] == pytest.approx(ks_2samp(before, now, method="exact").pvalue, rel=0.1)


def test_fewer_independent_rows_tell_less() -> None:
    random = np.random.default_rng(0)
    before, now = random.normal(size=500), random.normal(0.3, 1, 500)
    p = [ks_test(before, now, effective)[1] for effective in (500, 100, 20)]
    assert p[0] < p[1] < p[2]


@given(st.lists(st.integers(1, 50), min_size=2, max_size=6), st.data())
def test_pearson_is_the_textbooks(old: list[int], data: st.DataObject) -> None:
    new = data.draw(st.lists(st.integers(1, 50), min_size=len(old), max_size=len(old)))
    expected = chi2_contingency([old, new], correction=False).pvalue
    assert chi2_test(np.array(old, float), np.array(new, float)) == pytest.approx(expected)


@given(WORDS, WORDS)
def test_shares_are_shares_of_the_same_values(before: list[str], now: list[str]) -> None:
    names, old, new = category_shares(pd.Series(before), pd.Series(now))
    assert len(names) == len(old) == len(new)
    assert old.sum() == pytest.approx(1) and new.sum() == pytest.approx(1)
    distance, p = two_sample_test(pd.Series(before), pd.Series(now), 1.0)
    assert 0 <= distance <= 1 and 0 <= p <= 1


def test_rare_values_are_counted_together() -> None:
    before, now = pd.Series(["a"] * 95 + list("bcdef")), pd.Series(["a"] * 90 + list("ghijklmnop"))
    assert category_shares(before, now)[0] == ["a", OTHERS]


def test_a_new_category_is_a_change_by_its_share() -> None:
    before, now = pd.Series(["a", "b"] * 200), pd.Series(["a", "b", "c", "c"] * 100)
    distance, p = two_sample_test(before, now, 1.0)
    assert distance == pytest.approx(0.5) and p < 1e-10


def test_numbers_with_few_values_are_compared_value_by_value() -> None:
    """Half as many zeros and half as many twos: cumulative shares alone would see half of that."""
    before, now = pd.Series([0.0, 1.0, 2.0] * 100), pd.Series([0.0, 1.0, 1.0, 1.0, 1.0, 2.0] * 50)
    assert two_sample_test(before, now, 1.0)[0] == pytest.approx(1 / 3)


@pytest.mark.parametrize("kind", ["many values", "few values", "words", "repeated"])
def test_the_p_value_keeps_its_level(kind: str) -> None:
    random, times, level = np.random.default_rng(1), 1000, 0.02

    def draw(n: int) -> pd.Series:
        if kind == "words":
            return pd.Series(random.choice(list("abcd"), n, p=[0.5, 0.3, 0.19, 0.01]))
        values = random.poisson(1.5, n) if kind == "few values" else random.standard_t(2, n)
        return pd.Series(values.astype(float))

    def window() -> tuple[pd.Series, float]:
        if kind != "repeated":
            return draw(200), 1.0
        return draw(100).sample(600, replace=True, random_state=random), 1 / (1 / 100 + 1 / 600) / 600

    found = [two_sample_test(draw(300), *window())[1] for _ in range(times)]
    assert np.sum(np.array(found) <= level) <= binom.ppf(0.999, times, level)

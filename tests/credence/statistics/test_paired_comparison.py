"""The bound on a paired difference: textbook values, its direction in every argument, and its edges."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.stats import norm, t

from credence.evaluation.gate import Side
from credence.statistics.bootstrap import bootstrap_weights, jackknife_weights
from credence.statistics.paired_comparison import PairedDifference, alpha_for_look, alpha_left

LEVELS = st.floats(1e-6, 0.2)
PAIRS = st.builds(
    PairedDifference,
    value=st.floats(-0.2, 0.2),
    error=st.floats(1e-4, 0.2),
    disputed=st.floats(1, 100),
    clusters=st.just(200),
    widest=st.just(1.0),
)


@given(pair=PAIRS, alpha=LEVELS, margin=st.floats(0, 0.3))
def test_the_bounds_enclose_the_value_and_stay_possible(pair: PairedDifference, alpha: float, margin: float) -> None:
    assert -1 <= pair.low(alpha, margin) <= pair.value <= pair.high(alpha) <= 1


@given(pair=PAIRS, alpha=LEVELS)
def test_more_confidence_and_a_larger_error_reach_further(pair: PairedDifference, alpha: float) -> None:
    assert pair.half_width(alpha / 2) > pair.half_width(alpha)
    assert replace(pair, error=2 * pair.error).half_width(alpha) == pytest.approx(2 * pair.half_width(alpha))
    assert pair.half_width(alpha) > norm.ppf(1 - alpha) * pair.error


@given(pair=PAIRS, alpha=LEVELS, margin=st.floats(0, 0.2), more=st.floats(0, 0.2))
def test_who_passes_a_margin_passes_a_wider_one(
    pair: PairedDifference, alpha: float, margin: float, more: float
) -> None:
    assume(pair.is_better(alpha, margin))
    assert pair.is_better(alpha, margin + more)


def test_many_disputes_give_back_the_normal_bound() -> None:
    pair = PairedDifference(value=0.02, error=0.01, disputed=5_000, clusters=20_000, widest=1)
    assert pair.low(0.05) == pytest.approx(0.02 - norm.ppf(0.95) * 0.01, rel=1e-2)


def test_few_disputes_give_bonett_and_prices_bound_with_a_t_quantile() -> None:
    """Six rows won and one lost of 200: error sqrt(7 - 25/200)/200, two rows added."""
    pair = PairedDifference(value=5 / 200, error=np.sqrt(7) / 200, disputed=7, clusters=200, widest=1)
    by_hand = 5 / 200 - t.ppf(0.95, 2 / (1 / 7 - 1 / 201)) * np.sqrt(9) / 200
    assert pair.low(0.05) == pytest.approx(by_hand)


def test_a_true_loss_of_the_margin_needs_disputed_rows() -> None:
    """One row lost of 2000 does not prove that fewer than 20 would be: 20 are assumed, and two more."""
    pair = PairedDifference(value=-1 / 2000, error=1 / 2000, disputed=1, clusters=2000, widest=1)
    expected = t.ppf(0.95, 2 / (1 / 20 - 1 / 2001)) * np.sqrt(22) / 2000
    assert pair.half_width(0.05, margin=0.01) == pytest.approx(expected)


def test_no_dispute_is_no_evidence() -> None:
    nothing = PairedDifference(value=0, error=0, disputed=0, clusters=100, widest=1)
    assert (nothing.low(0.05), nothing.high(0.05), nothing.detectable(0.05)) == (-1, 1, 1)
    assert not nothing.is_better(0.05, 0.5)


def test_the_effective_number_of_disputes_counts_rows_that_weigh_the_same() -> None:
    y, rows = np.ones(300, bool), np.arange(300)
    ours, theirs = (Side(np.full(300, 0.5), rows >= k, None, None, "") for k in (2, 12))
    pair = PairedDifference.of(
        "accuracy", ours, theirs, y, bootstrap_weights(None, 300, 500), jackknife_weights(None, 300)
    )
    assert pair.disputed == pytest.approx(10, rel=0.1)
    assert pair.value == pytest.approx(10 / 300)


def test_one_row_that_weighs_most_counts_as_one() -> None:
    y, p = np.ones(300, bool), np.full(300, 0.9)
    wrong = p.copy()
    wrong[0], wrong[1:10] = 1e-7, 0.88
    ours, theirs = (Side(q, q >= 0.5, None, None, "") for q in (p, wrong))
    pair = PairedDifference.of(
        "log_loss", ours, theirs, y, bootstrap_weights(None, 300, 500), jackknife_weights(None, 300)
    )
    assert pair.disputed == pytest.approx(1, abs=0.05)
    assert not pair.is_better(0.05)


def test_where_the_metric_is_undefined_nothing_is_sure() -> None:
    y, p = np.zeros(50, bool), np.linspace(0, 1, 50)
    ours, theirs = (Side(q, q >= 0.5, None, None, "") for q in (p, 1 - p))
    pair = PairedDifference.of("recall", ours, theirs, y, bootstrap_weights(None, 50, 200), jackknife_weights(None, 50))
    assert np.isnan(pair.value)
    assert not pair.is_better(0.05, 0.9)


@given(alpha=st.floats(0.001, 0.4), looks=st.integers(0, 300))
def test_all_looks_together_spend_no_more_than_alpha(alpha: float, looks: int) -> None:
    total = sum(alpha_for_look(k, alpha) for k in range(1, looks + 1))
    assert total < alpha
    assert alpha_left(looks, alpha) == pytest.approx(alpha - total)


def test_the_first_look_gets_the_lion_share_and_six_looks_nine_tenths() -> None:
    assert alpha_for_look(1, 0.05) == pytest.approx(0.0304, abs=1e-4)
    assert alpha_left(5, 0.05) > 0.005 > alpha_left(6, 0.05)
    assert alpha_left(100_000, 0.05) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("alpha", [0.05, 0.001])
def test_the_detectable_difference_is_what_reaches_plus_the_power(alpha: float) -> None:
    pair = PairedDifference(value=0.0, error=0.01, disputed=500, clusters=2000, widest=1)
    assert pair.detectable(alpha) == pytest.approx((norm.ppf(1 - alpha) + norm.ppf(0.8)) * 0.01, rel=0.01)

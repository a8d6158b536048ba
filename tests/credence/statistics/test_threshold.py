"""The threshold follows what a miss costs, or reaches what the gate asks for, and otherwise stays at one half."""

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from credence.statistics.metrics import score
from credence.statistics.threshold import NEUTRAL_THRESHOLD, choose_threshold, threshold_minimum
from credence.statistics.uncertainty import sigmoid

AIMED = ["recall", "precision", "specificity"]


def calibrated(seed: int, n: int = 60) -> tuple[Any, Any]:
    rng = np.random.default_rng(seed)
    p = rng.random(n)
    y = (rng.random(n) < p).astype(int)
    y[:2] = [0, 1]
    return p, y


def reached(metric: str, p: Any, y: Any, threshold: float) -> float:
    return score(metric, p, p >= threshold, y)


@given(ratio=st.floats(0.01, 100))
def test_costs_decide_alone(ratio: float) -> None:
    assert choose_threshold(*calibrated(0), "recall", 0.99, ratio) == 1 / (1 + ratio)


@pytest.mark.parametrize("ratio", [1.0, 4.0, 9.0])
def test_the_threshold_of_costs_is_the_cheapest_one(ratio: float) -> None:
    rng = np.random.default_rng(0)
    p = sigmoid(2 * rng.standard_normal(200_000))
    y = rng.random(len(p)) < p
    cuts = np.linspace(0.02, 0.98, 97)
    costs = [ratio * np.sum(y & (p < c)) + np.sum(~y & (p >= c)) for c in cuts]
    assert choose_threshold(p, y.astype(int), "accuracy", 0, ratio) == pytest.approx(cuts[np.argmin(costs)], abs=0.03)


@pytest.mark.parametrize("metric", ["accuracy", "auroc", "log_loss", "brier", "ece", "npv"])
def test_other_metrics_leave_it_at_one_half(metric: str) -> None:
    assert choose_threshold(*calibrated(0), metric, 0.9, None) == NEUTRAL_THRESHOLD


@pytest.mark.parametrize("metric", AIMED)
@given(seed=st.integers(0, 10_000), minimum=st.floats(0.3, 0.95))
@settings(max_examples=60, deadline=None)
def test_a_reachable_minimum_is_reached_and_by_the_threshold_nearest_to_one_half(
    metric: str, seed: int, minimum: float
) -> None:
    p, y = calibrated(seed)
    threshold = choose_threshold(p, y, metric, minimum, None)
    cuts = [NEUTRAL_THRESHOLD, *((np.unique(p)[1:] + np.unique(p)[:-1]) / 2)]
    enough = [c for c in cuts if reached(metric, p, y, c) >= minimum]
    assume(enough)
    assert reached(metric, p, y, threshold) >= minimum
    assert abs(threshold - NEUTRAL_THRESHOLD) == pytest.approx(min(abs(c - NEUTRAL_THRESHOLD) for c in enough))


def test_precision_that_one_half_misses_is_looked_for_on_both_sides() -> None:
    """Precision is not monotone in the threshold: here only a lower one reaches it."""
    p, y = np.array([0.1, 0.35, 0.4, 0.6, 0.9]), np.array([0, 1, 1, 1, 0])
    threshold = choose_threshold(p, y, "precision", 0.7, None)
    assert reached("precision", p, y, NEUTRAL_THRESHOLD) == 0.5
    assert reached("precision", p, y, threshold) == 0.75
    assert 0.1 < threshold < 0.35


def test_a_minimum_out_of_reach_gets_the_best_there_is() -> None:
    p, y = np.array([0.2, 0.4, 0.6, 0.8]), np.array([1, 0, 1, 0])
    threshold = choose_threshold(p, y, "precision", 0.9, None)
    assert reached("precision", p, y, threshold) == pytest.approx(0.5)


@pytest.mark.parametrize("metric", ["f1", "balanced_accuracy"])
@given(seed=st.integers(0, 10_000))
@settings(max_examples=30, deadline=None)
def test_no_threshold_does_better(metric: str, seed: int) -> None:
    p, y = calibrated(seed)
    best = reached(metric, p, y, choose_threshold(p, y, metric, 0, None))
    assert best >= max(reached(metric, p, y, c) for c in np.linspace(0.02, 0.98, 49)) - 1e-9


def test_rare_answers_lower_the_threshold_of_f1() -> None:
    rng = np.random.default_rng(1)
    p = sigmoid(1.5 * rng.standard_normal(20_000) - 3)
    y = (rng.random(len(p)) < p).astype(int)
    assert choose_threshold(p, y, "f1", 0, None) < 0.4


def test_only_metrics_with_an_aim_pass_the_minimum_on() -> None:
    assert threshold_minimum("recall", 0.9) == 0.9
    assert threshold_minimum("accuracy", 0.9) == 0
    assert threshold_minimum("recall", None) == 0

"""Every metric against scikit-learn's, weighted rows against repeated rows, and figures that rows do not define."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn import metrics as sk

from credence.statistics.bootstrap import bootstrap_weights
from credence.statistics.metrics import METRICS, Estimate, bins, difference, estimate, format_metric_difference, score

THEIRS = {
    "accuracy": lambda p, yes, y: sk.accuracy_score(y, yes),
    "balanced_accuracy": lambda p, yes, y: sk.balanced_accuracy_score(y, yes),
    "f1": lambda p, yes, y: sk.f1_score(y, yes),
    "macro_f1": lambda p, yes, y: sk.f1_score(y, yes, average="macro"),
    "recall": lambda p, yes, y: sk.recall_score(y, yes),
    "specificity": lambda p, yes, y: sk.recall_score(y, yes, pos_label=0),
    "precision": lambda p, yes, y: sk.precision_score(y, yes),
    "npv": lambda p, yes, y: sk.precision_score(y, yes, pos_label=0),
    "auroc": lambda p, yes, y: sk.roc_auc_score(y, p),
    "auprc": lambda p, yes, y: sk.average_precision_score(y, p),
    "log_loss": lambda p, yes, y: sk.log_loss(y, p),
    "brier": lambda p, yes, y: sk.brier_score_loss(y, p),
}


@dataclass(frozen=True)
class Answered:
    p: NDArray[np.float64]
    yes: NDArray[np.bool_]


def rows(seed: int, n: int = 60, digits: int = 1) -> tuple[Any, Any, Any]:
    """Probabilities with many ties, labels at a threshold of its own, and truths of both answers and both labels."""
    rng = np.random.default_rng(seed)
    p = rng.uniform(0.05, 0.95, n).round(digits)
    y = rng.random(n) < p
    y[:4], yes = [True, True, False, False], p >= rng.uniform(0.3, 0.7)
    yes[:4] = [True, False, True, False]
    return p, yes, y


@pytest.mark.parametrize("name", THEIRS)
@given(seed=st.integers(0, 10_000), digits=st.integers(1, 6))
@settings(max_examples=20, deadline=None)
def test_agrees_with_scikit_learn(name: str, seed: int, digits: int) -> None:
    p, yes, y = rows(seed, digits=digits)
    assert score(name, p, yes, y) == pytest.approx(THEIRS[name](p, yes, y.astype(int)), abs=1e-12)


@pytest.mark.parametrize("name", METRICS)
@given(seed=st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_a_weight_is_a_repetition(name: str, seed: int) -> None:
    p, yes, y = rows(seed)
    w = np.random.default_rng(seed).integers(0, 4, (3, len(p)))
    w[:, :4] = np.maximum(w[:, :4], 1)
    weighted = METRICS[name].of(p, yes, y, w)
    repeated = [score(name, np.repeat(p, k), np.repeat(yes, k), np.repeat(y, k)) for k in w]
    np.testing.assert_allclose(weighted, repeated, atol=1e-12)


@pytest.mark.parametrize("name", METRICS)
def test_many_resamples_are_worked_off_in_pieces(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    p, yes, y = rows(1)
    w = bootstrap_weights(None, len(p), 50)
    whole = METRICS[name].of(p, yes, y, w)
    monkeypatch.setattr("credence.statistics.metrics.CHUNK_CELLS", 7 * len(p))
    np.testing.assert_allclose(METRICS[name].of(p, yes, y, w), whole, atol=1e-12, equal_nan=True)


@given(seed=st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_ranks_alone_decide_auroc_and_auprc(seed: int) -> None:
    p, yes, y = rows(seed)
    for name in ("auroc", "auprc"):
        assert score(name, p**3, yes, y) == pytest.approx(score(name, p, yes, y))
    assert score("auroc", 1 - p, yes, y) == pytest.approx(1 - score("auroc", p, yes, y))


def test_calibration_error_is_the_gap_per_bin_by_hand() -> None:
    p, y = np.array([0.01, 0.02, 0.5, 0.5, 1.0]), np.array([0, 1, 1, 1, 1], bool)
    by_hand = (abs(0.03 - 1) + abs(1.0 - 2) + abs(1.0 - 1)) / 5
    assert score("ece", p, p >= 0.5, y) == pytest.approx(by_hand)


def test_bins_hold_every_probability_once() -> None:
    p = np.linspace(0, 1, 301)
    assert (bins(p).sum(1) == 1).all()
    assert bins(p).sum(0).min() >= 20


@pytest.mark.parametrize(
    ("name", "yes", "y"),
    [
        ("recall", [1, 0], [0, 0]),
        ("specificity", [1, 0], [1, 1]),
        ("precision", [0, 0], [1, 0]),
        ("npv", [1, 1], [1, 0]),
        ("f1", [0, 0], [0, 0]),
        ("auroc", [1, 0], [1, 1]),
        ("auprc", [1, 0], [0, 0]),
        ("balanced_accuracy", [1, 0], [0, 0]),
    ],
)
def test_undefined_is_not_zero(name: str, yes: list[int], y: list[int]) -> None:
    assert np.isnan(score(name, np.array([0.7, 0.2]), np.array(yes, bool), np.array(y, bool)))


def test_a_confident_mistake_costs_much_but_not_infinitely() -> None:
    loss = score("log_loss", np.array([1.0]), np.array([True]), np.array([False]))
    assert 16 < loss < METRICS["log_loss"].widest


def test_undefined_resamples_are_left_out_and_counted() -> None:
    p, y = np.full(20, 0.4), np.zeros(20, bool)
    y[0] = True
    w = bootstrap_weights(None, 20, 1000)
    found = estimate("recall", p, np.ones(20, bool), y, w)
    assert found.value == found.low == found.high == 1
    assert found.undefined == (w[:, 0] == 0).sum()
    nothing = estimate("recall", p, np.ones(20, bool), np.zeros(20, bool), w)
    assert np.isnan(nothing.value)
    assert nothing.undefined == 1000


def test_the_interval_has_the_width_that_theory_says() -> None:
    y = np.arange(400) < 300
    found = estimate("accuracy", y.astype(float), np.ones(400, bool), y, bootstrap_weights(None, 400, 4000))
    assert (found.high - found.low) / 2 == pytest.approx(1.96 * np.sqrt(0.75 * 0.25 / 400), rel=0.06)


def test_an_estimate_survives_json_though_undefined() -> None:
    nothing = Estimate(value=np.nan, low=0.1, high=0.2, undefined=3)
    again = Estimate.model_validate_json(nothing.model_dump_json())
    assert np.isnan(again.value)
    assert again.high == 0.2
    assert str(Estimate(value=0.5, low=0.25, high=0.75)) == "0.500 (0.250 to 0.750)"


@pytest.mark.parametrize("name", METRICS)
def test_a_positive_difference_means_ours_is_better(name: str) -> None:
    y = np.arange(200) % 2 == 0
    sharp, dull = np.where(y, 0.95, 0.05), np.where(y, 0.6, 0.45)
    dull[:40] = 1 - dull[:40]
    ours, theirs = Answered(sharp, sharp > 0.5), Answered(dull, dull > 0.5)
    value, samples = difference(name, ours, theirs, y, bootstrap_weights(None, 200, 100))
    assert value > 0
    assert (samples > 0).all()
    assert difference(name, theirs, ours, y, bootstrap_weights(None, 200, 1))[0] == -value


def test_a_difference_is_paired() -> None:
    p, yes, y = rows(3)
    value, samples = difference("brier", Answered(p, yes), Answered(p, yes), y, bootstrap_weights(None, len(p), 100))
    assert value == 0
    assert not samples.any()


def test_differences_are_told_in_points_or_nats() -> None:
    assert format_metric_difference("accuracy", 0.0123, sign=True) == "+1.2 points"
    assert format_metric_difference("log_loss", 0.0123) == "0.012 nats"
    assert format_metric_difference("brier", -0.0123) == "-0.012"

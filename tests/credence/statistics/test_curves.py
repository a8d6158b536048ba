"""Curves agree with scikit-learn, and keep their ends when they are thinned."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import auc, average_precision_score, roc_auc_score

from credence.statistics.curves import downsample, histogram, net_benefit, precision_recall, roc


@st.composite
def answered(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities with ties, and answers of both kinds."""
    n = draw(st.integers(4, 60))
    p = np.array(draw(st.lists(st.integers(0, 10), min_size=n, max_size=n))) / 10
    y = np.array([0, 1, *draw(st.lists(st.integers(0, 1), min_size=n - 2, max_size=n - 2))])
    return p, y


@given(answered())
def test_the_area_under_roc_is_auroc(rows: tuple[np.ndarray, np.ndarray]) -> None:
    p, y = rows
    across, up = roc(p, y)
    assert auc(across, up) == pytest.approx(roc_auc_score(y, p))
    assert (across[0], up[0], across[-1], up[-1]) == (0, 0, 1, 1)


@given(answered())
def test_steps_under_precision_add_up_to_average_precision(rows: tuple[np.ndarray, np.ndarray]) -> None:
    p, y = rows
    recall, precision = precision_recall(p, y)
    assert float(np.sum(np.diff(recall) * precision[1:])) == pytest.approx(average_precision_score(y, p))


def test_roc_of_a_perfect_ranking_has_three_corners() -> None:
    across, up = roc(np.linspace(0, 1, 50), (np.arange(50) >= 20).astype(int))
    assert list(zip(across, up, strict=True)) == [(0, 0), (0, 1), (1, 1)]


def test_net_benefit_of_always_and_of_perfect_answers() -> None:
    y = np.array([1, 0, 0, 1, 0])
    gain, always = net_benefit(y.astype(float), y, np.array([0.2, 0.5, 0.9]))
    assert gain == pytest.approx([0.4, 0.4, 0.4])
    assert always == pytest.approx([0.4 - 0.6 * 0.25, 0.4 - 0.6, 0.4 - 0.6 * 9])


def test_one_false_alarm_costs_the_odds_of_the_threshold() -> None:
    gain, _ = net_benefit(np.array([0.9, 0.9, 0.1, 0.1]), np.array([1, 0, 0, 0]), np.array([0.75]))
    assert gain == pytest.approx([0.25 - 0.25 * 3])


def test_histogram_counts_every_row_once() -> None:
    no, yes = histogram(np.array([0.0, 1.0, 0.5, 0.5]), np.array([0, 1, 1, 0]), bins=4)
    assert no.tolist() == [1, 0, 1, 0]
    assert yes.tolist() == [0, 0, 1, 1]


@given(st.integers(1, 500), st.integers(2, 50))
def test_thin_keeps_both_ends(n: int, points: int) -> None:
    (kept,) = downsample(np.arange(float(n)), points=points)
    assert len(kept) <= points
    assert (kept[0], kept[-1]) == (0, n - 1)

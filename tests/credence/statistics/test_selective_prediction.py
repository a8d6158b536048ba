"""Selective measures equal their plain definitions, with ties and with weights."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from credence.statistics.selective_prediction import aurc, best_aurc, risk_coverage, risk_curve, selective_measures

Rows = tuple[np.ndarray, np.ndarray, np.ndarray]


@st.composite
def doubted(draw: st.DrawFn) -> Rows:
    """Doubts with ties, errors of which there is at least one and not all, and integer weights."""
    n = draw(st.integers(3, 30))
    doubt = np.array(draw(st.lists(st.integers(0, 8), min_size=n, max_size=n))) / 8
    wrong = np.array([True, False, *draw(st.lists(st.booleans(), min_size=n - 2, max_size=n - 2))])
    w = np.array(draw(st.lists(st.integers(0, 3), min_size=n, max_size=n)))
    w[:2] = np.maximum(w[:2], 1)
    return doubt, wrong, w


@given(doubted())
def test_weights_are_repeated_rows(rows: Rows) -> None:
    doubt, wrong, w = rows
    weighted = selective_measures(doubt, wrong)(w[None])
    repeated = selective_measures(np.repeat(doubt, w), np.repeat(wrong, w))(np.ones((1, w.sum()), dtype=int))
    for name in weighted:
        assert weighted[name] == pytest.approx(repeated[name], nan_ok=True), name


@given(doubted())
def test_areas_under_curves_of_errors_are_scikit_learns(rows: Rows) -> None:
    doubt, wrong, _ = rows
    found = selective_measures(doubt, wrong)(np.ones((1, len(doubt)), dtype=int))
    assert found["misclassification_auroc"][0] == pytest.approx(roc_auc_score(wrong, doubt))
    assert found["misclassification_auprc"][0] == pytest.approx(average_precision_score(wrong, doubt))


@given(doubted())
def test_augrc_is_the_known_function_of_auroc_and_accuracy(rows: Rows) -> None:
    doubt, wrong, _ = rows
    found = selective_measures(doubt, wrong)(np.ones((1, len(doubt)), dtype=int))
    error = wrong.mean()
    expected = (1 - found["misclassification_auroc"][0]) * (1 - error) * error + error**2 / 2
    assert found["augrc"][0] == pytest.approx(expected)


@settings(max_examples=25)
@given(st.lists(st.tuples(st.integers(0, 2), st.booleans()), min_size=2, max_size=6))
def test_aurc_is_the_mean_over_all_orders_of_tied_rows(rows: list[tuple[int, bool]]) -> None:
    doubt, wrong = np.array([d for d, _ in rows]), np.array([x for _, x in rows])
    orders = [o for o in itertools.permutations(range(len(rows))) if all(np.diff(doubt[list(o)]) >= 0)]
    plain = [np.mean(np.cumsum(wrong[list(o)]) / np.arange(1, len(rows) + 1)) for o in orders]
    ones = np.ones((1, len(rows)), dtype=int)
    assert aurc(*risk_coverage(doubt, wrong, ones))[0] == pytest.approx(np.mean(plain))


@given(st.integers(1, 40), st.integers(0, 40))
def test_the_best_aurc_is_that_of_errors_last(right: int, errors: int) -> None:
    doubt, wrong = np.arange(float(right + errors)), np.arange(right + errors) >= right
    found = selective_measures(doubt, wrong)(np.ones((1, right + errors), dtype=int))
    assert best_aurc(np.array([right + errors]), np.array([errors]))[0] == pytest.approx(found["aurc"][0])
    assert found["e_aurc"][0] == pytest.approx(0, abs=1e-12)


def test_coverage_risk_and_review_on_ten_rows() -> None:
    wrong = np.array([0, 0, 0, 0, 0, 0, 0, 0, 1, 1], dtype=bool)
    found = selective_measures(np.arange(10.0), wrong)(np.ones((1, 10), dtype=int))
    assert found["coverage_at_risk_1"][0] == pytest.approx(0.8)
    assert found["risk_at_coverage_90"][0] == pytest.approx(1 / 9)
    assert found["accuracy_at_review_10"][0] == pytest.approx(0.9)
    assert found["accuracy_at_review_20"][0] == pytest.approx(1.0)


def test_without_errors_what_needs_them_is_undefined() -> None:
    found = selective_measures(np.arange(5.0), np.zeros(5, dtype=bool))(np.ones((1, 5), dtype=int))
    assert np.isnan(found["misclassification_auroc"][0])
    assert found["coverage_at_risk_1"][0] == 1


def test_the_risk_curve_ends_at_all_rows_and_all_errors() -> None:
    coverage, risk = risk_curve(np.linspace(0, 1, 300), np.arange(300) % 4 == 0)
    assert (coverage[-1], risk[-1]) == (1.0, 0.25)

"""Scaling finds the slope that was planted; conformal sets hold the truth as often as promised."""

from typing import Any

import numpy as np
import pytest
from crepes import ConformalClassifier
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydantic import ValidationError
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss as their_log_loss

from credence.statistics.calibration import Calibration, ConformalSets, Scaling, fit_scaling, log_loss
from credence.statistics.uncertainty import Array, decompose_uncertainty, logit, sigmoid

SEEDS = st.integers(0, 10_000)


def distorted(slope: float, shift: float, n: int = 20_000, seed: int = 0) -> tuple[Array, NDArray[np.int64]]:
    """Answers, and probabilities that `slope` and `shift` would set right."""
    rng = np.random.default_rng(seed)
    z = 2 * rng.standard_normal(n)
    return sigmoid((z - shift) / slope)[None], (rng.random(n) < sigmoid(z)).astype(int)


@pytest.mark.parametrize(("slope", "shift"), [(1.0, 0.0), (0.4, 0.0), (2.5, 0.0), (0.5, 1.0), (1.0, -0.7)])
def test_platt_recovers_slope_and_shift(slope: float, shift: float) -> None:
    found = fit_scaling(*distorted(slope, shift), "platt")
    assert found.slope == pytest.approx(slope, rel=0.06)
    assert found.shift == pytest.approx(shift, abs=0.06)


@pytest.mark.parametrize("slope", [0.3, 1.0, 3.0])
def test_temperature_recovers_the_slope_and_never_shifts(slope: float) -> None:
    found = fit_scaling(*distorted(slope, 0.0), "temperature")
    assert found.slope == pytest.approx(slope, rel=0.06)
    assert found.shift == 0


def test_platt_nears_logistic_regression_on_the_log_odds_where_rows_are_many() -> None:
    draws, y = distorted(0.5, 1.0)
    found, theirs = fit_scaling(draws, y, "platt"), LogisticRegression(C=1e9).fit(logit(draws[0])[:, None], y)
    assert found.slope == pytest.approx(theirs.coef_[0, 0], rel=0.01)
    assert found.shift == pytest.approx(theirs.intercept_[0], abs=0.01)


def test_few_rows_hardly_move_the_model_and_separable_ones_keep_the_slope_finite() -> None:
    y = np.array([0, 1] * 10)
    draws = np.where(y == 1, 0.99, 0.01)[None]
    assert 1 <= fit_scaling(draws, y, "platt").slope < 1.2
    contrary = fit_scaling(1 - draws[:, :6], y[:6], "temperature")
    assert 0.2 < contrary.slope < 1


def test_auto_shifts_only_where_it_pays() -> None:
    assert fit_scaling(*distorted(0.5, 1.0), "auto").shift != 0
    straight = [fit_scaling(*distorted(0.5, 0.0, 500, seed), "auto").shift == 0 for seed in range(20)]
    assert np.mean(straight) >= 0.6


def test_none_leaves_everything_as_it_is() -> None:
    draws, y = distorted(0.4, 1.0, 100)
    assert fit_scaling(draws, y, "none") == Scaling()
    np.testing.assert_allclose(Scaling()(draws), draws, atol=1e-6)


@given(seed=SEEDS, members=st.integers(1, 5), method=st.sampled_from(["auto", "temperature", "platt"]))
@settings(max_examples=15, deadline=None)
def test_scaling_never_hurts_the_rows_it_learned_from(seed: int, members: int, method: str) -> None:
    p, y = distorted(0.3, 0.5, 300, seed)
    noise = 0.3 * np.random.default_rng(seed).standard_normal((members, 300))
    draws = sigmoid(logit(p) + noise)
    assert log_loss(fit_scaling(draws, y, method)(draws).mean(0), y) <= log_loss(draws.mean(0), y) + 1e-3


def test_disagreement_survives_scaling_and_order_does_too() -> None:
    draws = np.random.default_rng(0).random((4, 50))
    scaled = Scaling(slope=0.7, shift=0.2)(draws)
    assert (decompose_uncertainty(scaled)[1] > 0).all()
    assert (np.argsort(scaled, axis=1) == np.argsort(draws, axis=1)).all()


def test_rows_that_are_told_apart_perfectly_keep_the_slope_finite() -> None:
    y = np.repeat([0, 1], 50)
    found = fit_scaling(np.where(y == 1, 0.9, 0.1)[None], y, "auto")
    assert 0.1 < found.slope < 10
    assert 0.95 < found(np.array([[0.9]]))[0, 0] < 1


@given(seed=SEEDS)
@settings(max_examples=20, deadline=None)
def test_log_loss_is_the_usual_one(seed: int) -> None:
    rng = np.random.default_rng(seed)
    p, y = rng.uniform(0.01, 0.99, 30), rng.integers(0, 2, 30)
    assert log_loss(p, y) == pytest.approx(their_log_loss(y, p, labels=[0, 1]))


@given(seed=SEEDS, digits=st.integers(1, 8), alpha=st.floats(0.01, 0.5))
@settings(max_examples=40, deadline=None)
def test_sets_are_the_three_lines_of_the_textbook(seed: int, digits: int, alpha: float) -> None:
    rng = np.random.default_rng(seed)
    p, new, y = rng.random(60).round(digits), rng.random(20).round(digits), rng.integers(0, 2, 60)
    y[:2] = [0, 1]
    found = ConformalSets.fit(p, y, alpha)
    for c, (scores, asked) in enumerate([(p[y == 0], new), (1 - p[y == 1], 1 - new)]):
        as_strange = (scores[None, :] >= asked[:, None]).sum(1)
        p_values = (as_strange + 1) / (len(scores) + 1)
        np.testing.assert_allclose(found.p_values(new)[:, c], p_values)
        np.testing.assert_array_equal(found.sets(new)[:, c], p_values > alpha)


@given(st.integers(0, 10**6), st.integers(1, 3))
def test_p_values_are_those_of_crepes(seed: int, digits: int) -> None:
    rng = np.random.default_rng(seed)
    p, y = rng.random(60).round(digits), np.r_[0, 1, rng.integers(0, 2, 58)]
    found, asked = ConformalSets.fit(p, y, 0.1), rng.random(30).round(digits)
    bins = np.repeat([0, 1], [len(found.no), len(found.yes)])
    oracle = ConformalClassifier().fit(np.array(found.no + found.yes), bins=bins)
    for c, scores in enumerate((asked, 1 - asked)):
        expected = oracle.predict_p(scores[:, None], bins=np.full(30, c), smoothing=False)[:, 0]
        np.testing.assert_allclose(found.p_values(asked)[:, c], expected, rtol=0, atol=1e-15)


@pytest.mark.parametrize("alpha", [0.1, 0.2])
def test_each_answer_is_covered_as_often_as_promised_though_p_is_wrong(alpha: float) -> None:
    """Averaged over calibration parts, coverage is at least 1 - alpha and above it by at most 1 / (rows + 1)."""
    rng, held = np.random.default_rng(0), []
    for _ in range(300):
        z = rng.standard_normal(400) - 1
        y, p = (rng.random(400) < sigmoid(2 * z)).astype(int), sigmoid(5 * z + 2)
        inside = ConformalSets.fit(p[:200], y[:200], alpha).sets(p[200:])[np.arange(200), y[200:]]
        held.append([inside[y[200:] == c].mean() for c in (0, 1)])
    assert np.mean(held, axis=0) == pytest.approx([1 - alpha] * 2, abs=0.02)
    assert (np.mean(held, axis=0) > 1 - alpha - 0.006).all()


@given(seed=SEEDS)
@settings(max_examples=20, deadline=None)
def test_a_smaller_alpha_only_adds_answers(seed: int) -> None:
    rng = np.random.default_rng(seed)
    p, y = rng.random(80), rng.integers(0, 2, 80)
    narrow, wide = (ConformalSets.fit(p, y, alpha).sets(p) for alpha in (0.2, 0.05))
    assert (wide | ~narrow).all()


def test_too_few_rows_promise_nothing_and_so_leave_everything_in() -> None:
    sets = ConformalSets.fit(np.array([0.1, 0.9]), np.array([0, 1]), 0.1).sets(np.linspace(0, 1, 11))
    assert sets.all()


def test_conformal_sets_survive_json() -> None:
    rng = np.random.default_rng(0)
    found = ConformalSets.fit(rng.random(50), rng.integers(0, 2, 50), 0.1)
    again = ConformalSets.model_validate_json(found.model_dump_json())
    np.testing.assert_array_equal(again.p_values(np.linspace(0, 1, 99)), found.p_values(np.linspace(0, 1, 99)))


@pytest.mark.parametrize("wrong", [{"alpha": 0}, {"alpha": 1}, {"method": "isotonic"}, {"cost_ratio": 0}])
def test_the_section_refuses_what_makes_no_sense(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Calibration(**wrong)

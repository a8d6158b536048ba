"""Uncertainty in bits splits exactly, is honest about one draw, and survives extreme probabilities."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from credence.statistics.uncertainty import Array, decompose_uncertainty, draw_interval, entropy, logit, sigmoid

PROBABILITIES = st.floats(0, 1)
DRAWS = arrays(np.float64, array_shapes(min_dims=2, max_dims=2, min_side=2, max_side=12), elements=PROBABILITIES)


@given(draws=DRAWS)
def test_total_is_epistemic_plus_aleatoric(draws: Array) -> None:
    total, epistemic, aleatoric = decompose_uncertainty(draws)
    np.testing.assert_allclose(total, epistemic + aleatoric, atol=1e-9)
    assert (epistemic >= 0).all()
    assert ((total >= 0) & (total <= 1)).all()


@given(draws=DRAWS)
def test_the_order_of_draws_does_not_matter(draws: Array) -> None:
    for ours, reversed_ in zip(decompose_uncertainty(draws), decompose_uncertainty(draws[::-1]), strict=True):
        np.testing.assert_allclose(ours, reversed_, atol=1e-12)


@given(p=arrays(np.float64, 7, elements=PROBABILITIES))
def test_draws_that_agree_leave_no_epistemic_uncertainty(p: Array) -> None:
    total, epistemic, aleatoric = decompose_uncertainty(np.tile(p, (5, 1)))
    np.testing.assert_allclose(epistemic, 0, atol=1e-9)
    np.testing.assert_allclose(total, aleatoric, atol=1e-9)


def test_draws_that_contradict_each_other_are_all_epistemic() -> None:
    total, epistemic, aleatoric = decompose_uncertainty(np.array([[0.0], [1.0]]))
    assert total[0] == pytest.approx(1)
    assert epistemic[0] == pytest.approx(1, abs=1e-5)
    assert aleatoric[0] == pytest.approx(0, abs=1e-5)


@given(p=arrays(np.float64, 7, elements=PROBABILITIES))
def test_one_draw_has_no_doubt_about_itself_to_report(p: Array) -> None:
    total, epistemic, aleatoric = decompose_uncertainty(p[None])
    np.testing.assert_allclose(total, entropy(p))
    assert np.isnan(epistemic).all()
    assert np.isnan(aleatoric).all()
    assert all(np.isnan(edge).all() for edge in draw_interval(p[None]))


def test_entropy_is_measured_in_bits() -> None:
    assert entropy(np.array([0.5]))[0] == 1
    assert entropy(np.array([0.25]))[0] == pytest.approx(0.811278, abs=1e-6)
    assert entropy(np.array([0.0, 1.0])) == pytest.approx([0, 0], abs=1e-5)


@given(z=st.floats(-700, 700))
def test_sigmoid_is_stable_and_symmetric(z: float) -> None:
    both = sigmoid(np.array([z, -z]))
    assert both.sum() == pytest.approx(1)
    assert ((both >= 0) & (both <= 1)).all()


@given(z=st.floats(-15, 15))
def test_logit_undoes_sigmoid(z: float) -> None:
    assert logit(sigmoid(np.array([z])))[0] == pytest.approx(z, abs=1e-6)


def test_logit_keeps_certainty_finite() -> None:
    assert np.isfinite(logit(np.array([0.0, 1.0]))).all()


@given(draws=DRAWS, level=st.floats(0.1, 0.98))
def test_the_interval_lies_within_the_draws_and_grows_with_its_level(draws: Array, level: float) -> None:
    low, high = draw_interval(draws, level)
    wider_low, wider_high = draw_interval(draws, level + 0.01)
    edges = (draws.min(0), wider_low, low, high, wider_high, draws.max(0))
    assert all((a <= b + 1e-12).all() for a, b in pairwise(edges))


def test_the_interval_holds_its_share_of_the_draws() -> None:
    draws = np.random.default_rng(0).random((2000, 3))
    low, high = draw_interval(draws, 0.9)
    assert ((draws >= low) & (draws <= high)).mean(0) == pytest.approx([0.9] * 3, abs=0.002)

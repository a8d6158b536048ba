"""Calibration errors on rows whose calibration is known, and the identities that tie them together."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from credence.reporting.measure import measure_with_intervals
from credence.statistics.curves import ScoredLabels
from credence.statistics.metrics import equal_width, score
from credence.statistics.reliability import (
    brier_decomposition,
    calibration_error,
    cox_recalibration,
    equal_mass,
    reliability_by_chance,
    simulate,
)
from credence.statistics.uncertainty import Array, logit, sigmoid


def world(n: int, slope: float = 1.0, shift: float = 0.0, seed: int = 0) -> tuple[Array, ScoredLabels]:
    """Probabilities p and answers that come true with sigmoid(slope * logit(p) + shift)."""
    random = np.random.default_rng(seed)
    p = random.beta(1, 1, n) * 0.98 + 0.01
    return p, (random.random(n) < sigmoid(slope * logit(p) + shift)).astype(int)


def value(statistic: object, name: str, n: int) -> float:
    return float(statistic(np.ones((1, n), dtype=int))[name][0])  # type: ignore[operator]


@given(st.integers(2, 300), st.integers(0, 9))
def test_murphys_parts_add_up_to_brier(n: int, seed: int) -> None:
    p, y = world(n, 0.6, 0.3, seed)
    parts = {k: v[0] for k, v in brier_decomposition(p, y)(np.ones((1, n), dtype=int)).items()}
    total = parts["reliability"] - parts["resolution"] + parts["uncertainty"] + parts["within"]
    assert total == pytest.approx(np.mean((p - y) ** 2))


def test_ece_is_the_metric_of_that_name() -> None:
    p, y = world(500, 0.5)
    assert value(calibration_error(p, y), "ece", 500) == pytest.approx(score("ece", p, p >= 0.5, y))


def test_cox_recovers_the_slope_and_the_shift_that_were_planted() -> None:
    p, y = world(20_000, 0.7, 0.4)
    found = measure_with_intervals(
        cox_recalibration(p, y), np.random.default_rng(1).multinomial(20_000, np.full(20_000, 1 / 20_000), 200)
    )
    slope, intercept = found["calibration_slope"], found["calibration_intercept"]
    assert slope.value == pytest.approx(0.7, abs=0.03)
    assert intercept.value == pytest.approx(0.4, abs=0.05)
    assert slope.low is not None
    assert slope.high is not None
    assert slope.low < 0.7 < slope.high < 1


def test_one_newton_step_is_close_to_a_whole_refit() -> None:
    p, y = world(400, 0.8, 0.2)
    w = np.random.default_rng(3).multinomial(400, np.full(400, 1 / 400), 20)
    quick = cox_recalibration(p, y)(w)["calibration_slope"]
    whole = [value(cox_recalibration(np.repeat(p, k), np.repeat(y, k)), "calibration_slope", 400) for k in w]
    assert np.abs(quick - whole).max() < 0.05


def test_separated_answers_have_no_slope() -> None:
    p = np.linspace(0.1, 0.9, 20)
    found = measure_with_intervals(cox_recalibration(p, (p > 0.5).astype(int)), np.ones((3, 20), dtype=int))
    assert found["calibration_slope"].value is None


def test_the_debiased_error_of_calibrated_answers_is_near_nothing_and_grows_with_the_planted_gap() -> None:
    p, y = world(20_000)
    assert value(calibration_error(p, y), "calibration_error_debiased", 20_000) < 0.01
    q = np.full(20_000, 0.5)
    gap = (np.random.default_rng(0).random(20_000) < 0.6).astype(int)
    assert value(calibration_error(q, gap), "calibration_error_debiased", 20_000) == pytest.approx(0.1, abs=0.01)


def test_chance_covers_nineteen_of_twenty_calibrated_predictors() -> None:
    inside = []
    for seed in range(100):
        p, y = world(150, seed=seed)
        _, chance = reliability_by_chance(p, y, seed)
        inside.append(score("ece", p, p >= 0.5, y) <= chance.high)
    assert 0.88 <= np.mean(inside) <= 0.995


def test_an_overconfident_predictor_lies_outside_chance() -> None:
    p, y = world(2_000, 0.4)
    table, chance = reliability_by_chance(p, y)
    assert score("ece", p, p >= 0.5, y) > 2 * chance.high
    assert sum(b.rows for b in table) == 2_000
    assert any(not b.chance_low <= b.observed <= b.chance_high for b in table)


def test_simulated_answers_come_true_as_often_as_was_said() -> None:
    p = np.linspace(0.01, 0.99, 300)
    rows, yes = simulate(p, equal_width(p), times=2_000)
    assert rows.sum() == 300
    assert yes.sum(1).mean() == pytest.approx(p.sum(), rel=0.01)


def test_simulation_in_pieces_stays_within_memory_and_keeps_its_worlds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("credence.statistics.reliability.SIMULATED_CELLS", 1_000)
    _, yes = simulate(np.full(100, 0.3), equal_width(np.full(100, 0.3)), times=50)
    assert yes.shape == (50, 5)
    assert (yes[:, 4] > 0).all()
    assert len(np.unique(yes[:, 4])) > 5


@given(st.lists(st.floats(0, 1), min_size=1, max_size=200))
def test_bins_hold_every_probability(values: list[float]) -> None:
    p = np.array(values)
    for bin_of in (equal_width(p), equal_mass(p)):
        assert bin_of.min() >= 0
        assert bin_of.max() < 15
        assert all(len(set(bin_of[p == v])) == 1 for v in set(values))

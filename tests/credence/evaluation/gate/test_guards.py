"""Each guard fails where it should, and hardly ever where nothing is wrong."""

from typing import Any

import numpy as np
import pytest

from credence.evaluation.gate import Side
from credence.evaluation.gate.guards import (
    calibration_error_band,
    calibration_guard,
    coverage_guard,
    latency_guard,
    worst_group_guard,
)
from credence.statistics.bootstrap import bootstrap_weights
from credence.statistics.metrics import score
from credence.statistics.uncertainty import sigmoid


def answered(yes: Any) -> Side:
    yes = np.asarray(yes, bool)
    return Side(np.where(yes, 0.9, 0.1), yes, None, None, "")


def grouped(broken: int, rows: int = 100, groups: int = 3, allowed: float = 0.05) -> Any:
    """The guard's answer where ours is wrong in `broken` rows of the first group and theirs never."""
    n = rows * groups
    y = np.arange(n) % 2 == 0
    ours = y.copy()
    ours[:broken] = ~y[:broken]
    names, keys = np.arange(n) // rows, np.arange(n).astype(str)
    drawn = bootstrap_weights(None, n, 400)
    return worst_group_guard("accuracy", answered(ours), answered(y), y, names.astype(str), keys, drawn, allowed, 0.05)


def test_a_group_that_surely_loses_too_much_is_named() -> None:
    guard = grouped(broken=30)
    assert not guard.ok
    assert "group '0' changes by -30.0 points, significantly more than the 5.0 points allowed" in guard.message


@pytest.mark.parametrize("broken", [0, 3, 6])
def test_a_loss_that_luck_explains_is_no_reason(broken: int) -> None:
    assert grouped(broken).ok


def test_a_larger_loss_may_be_allowed() -> None:
    assert grouped(broken=30, allowed=0.5).ok


def test_one_group_is_no_group() -> None:
    guard = grouped(broken=90, groups=1)
    assert guard.ok
    assert guard.message == "all rows are one group"


def test_groups_that_do_not_define_the_metric_say_nothing() -> None:
    y = np.arange(60) < 30
    sides = (answered(~y), answered(y))
    groups, keys = np.where(y, "yes", "no"), np.arange(60).astype(str)
    assert worst_group_guard("auroc", *sides, y, groups, keys, bootstrap_weights(None, 60, 200), 0.05, 0.05).ok


def test_many_equal_groups_rarely_raise_a_false_alarm() -> None:
    alarms = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        y = rng.random(600) < 0.5
        ours, theirs = (answered(np.where(rng.random(600) < 0.1, ~y, y)) for _ in range(2))
        groups, keys = (np.arange(600) % 20).astype(str), np.arange(600).astype(str)
        drawn = bootstrap_weights(None, 600, 200)
        alarms += not worst_group_guard("accuracy", ours, theirs, y, groups, keys, drawn, 0.05, 0.05).ok
    assert alarms <= 2


def test_the_band_holds_a_calibrated_predictor_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    p = rng.beta(0.5, 0.5, 500)
    band = calibration_error_band(p, None, 0.9)
    errors = [score("ece", p, p >= 0.5, rng.random(500) < p) for _ in range(400)]
    assert np.mean(np.array(errors) <= band) == pytest.approx(0.9, abs=0.05)


def test_the_band_narrows_with_more_rows_and_widens_where_rows_share_a_key() -> None:
    p = np.random.default_rng(0).beta(0.5, 0.5, 2000)
    assert calibration_error_band(p, None) < calibration_error_band(p[:200], None)
    assert calibration_error_band(np.repeat(p[:200], 10), np.repeat(np.arange(200), 10)) == pytest.approx(
        calibration_error_band(p[:200], None), rel=0.1
    )


def test_the_band_does_not_depend_on_how_the_work_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    p = np.random.default_rng(0).random(100)
    whole = calibration_error_band(p, None)
    monkeypatch.setattr("credence.evaluation.gate.guards.CHUNK_CELLS", 1700)
    assert calibration_error_band(p, None) == whole


def calibrated_and_not() -> tuple[Side, Side, Any, Any]:
    rng = np.random.default_rng(1)
    z = 2 * rng.standard_normal(2000)
    y = rng.random(2000) < sigmoid(z)
    right, sure = (Side(sigmoid(k * z), z >= 0, None, None, "") for k in (1, 3))
    return right, sure, y, np.arange(2000).astype(str)


def test_calibration_fails_beyond_luck_and_above_the_champion_only() -> None:
    right, sure, y, keys = calibrated_and_not()
    assert calibration_guard(right, sure, y, keys, 0.95).ok
    assert not calibration_guard(sure, right, y, keys, 0.95).ok
    assert calibration_guard(sure, sure, y, keys, 0.95).ok
    assert "by chance, the champion" in calibration_guard(sure, right, y, keys, 0.95).message


def test_without_a_champion_calibration_is_told_but_stops_nothing() -> None:
    _, sure, y, keys = calibrated_and_not()
    guard = calibration_guard(sure, None, y, keys, 0.95)
    assert guard.ok
    assert "a calibrated predictor shows up to" in guard.message


def sets_that_hold(no: float, yes: float, rows: int = 1000) -> tuple[Any, Any]:
    y = np.repeat([0, 1], rows)
    sets = np.ones((2 * rows, 2), bool)
    sets[: round(rows * (1 - no)), 0] = False
    sets[rows : rows + round(rows * (1 - yes)), 1] = False
    return sets, y


@pytest.mark.parametrize(
    ("no", "yes", "ok"), [(0.9, 0.9, True), (0.885, 1, True), (0.87, 1, False), (1, 0.87, False), (1, 1, True)]
)
def test_coverage_is_asked_of_both_answers(no: float, yes: float, ok: bool) -> None:
    assert coverage_guard(*sets_that_hold(no, yes), alpha=0.1, calibrated_on=None).ok == ok


def test_few_calibration_rows_excuse_a_lower_coverage() -> None:
    sets, y = sets_that_hold(0.87, 0.9)
    assert coverage_guard(sets, y, 0.1, calibrated_on=(200, 200)).ok
    assert not coverage_guard(sets, y, 0.1, calibrated_on=(100_000, 100_000)).ok
    assert coverage_guard(sets, y, 0.2, calibrated_on=None).ok


def test_sound_sets_are_seldom_held_up() -> None:
    """Class-conditional sets from 60 calibration rows, judged on 40 rows of either answer: at most 1 in 100."""
    rng, held_up, contests = np.random.default_rng(0), 0, 2000
    for _ in range(contests):
        scores, fresh = rng.random((2, 60)), rng.random((2, 40))
        p_values = (1 + (scores[:, None, :] >= fresh[:, :, None]).sum(2)) / 61
        sets = np.ones((80, 2), bool)
        sets[:40, 0], sets[40:, 1] = p_values[0] > 0.1, p_values[1] > 0.1
        held_up += not coverage_guard(sets, np.repeat([0, 1], 40), 0.1, (60, 60)).ok
    assert held_up / contests <= 0.01 + 3 * np.sqrt(0.01 * 0.99 / contests)


def test_coverage_without_sets_or_without_one_answer_says_nothing() -> None:
    assert coverage_guard(None, np.array([0, 1]), 0.1, None).ok
    sets, _ = sets_that_hold(1, 1, rows=5)
    assert coverage_guard(sets, np.zeros(10), 0.1, None).ok


@pytest.mark.parametrize(
    ("taken", "limit", "ok"),
    [(None, None, True), (9.0, None, True), (4.0, 5.0, True), (6.0, 5.0, False), (None, 5, False)],
)
def test_latency_has_a_limit_only_where_one_is_set(taken: float | None, limit: float | None, ok: bool) -> None:
    assert latency_guard(taken, limit).ok == ok

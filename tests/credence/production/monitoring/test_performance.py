"""Performance on late labels: the figures are those of the metrics, a loss is sure before it is called one."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom

from benchmarks.drift_rates import answered
from credence.production.monitoring import Monitoring
from credence.production.monitoring.performance import performance_loss
from credence.production.monitoring.run import monitor_window
from credence.production.monitoring.summary import MonitoringSummary
from credence.statistics.metrics import METRICS, score
from tests.support.monitoring_cases import logged, shown, table, watched


def found(window: pd.DataFrame, margin: float = 0.0, metric: str = "accuracy", **section: object) -> MonitoringSummary:
    predictor = watched()
    promised = shown(predictor, table(400, 9))
    return monitor_window(predictor, window, Monitoring(**section), test=promised, metric=metric, margin=margin)


def wrong(window: pd.DataFrame, share: float) -> pd.DataFrame:
    """The truth of so many rows turned to the opposite of the answer."""
    random = np.random.default_rng(0)
    against = (window["label"] == "no").astype(float)
    return window.assign(truth=against.where(random.random(len(window)) < share, window["truth"]))


def test_every_metric_is_what_it_is_on_the_labelled_rows() -> None:
    window = logged(watched(), table())
    right = found(window).performance
    p, yes, y = window["probability"].to_numpy(), (window["label"] == "yes").to_numpy(), window["truth"].to_numpy()
    assert right.rows == 600 and right.share == 1.0
    for name in METRICS:
        assert right.scores[name].value == pytest.approx(score(name, p, yes, y))
        assert right.scores[name].low <= right.scores[name].value <= right.scores[name].high
    assert {g.name for g in right.groups} == {"north", "south"} and sum(g.rows for g in right.groups) == 600
    assert {"ece", "calibration_slope", "calibration_intercept"} <= set(right.calibration)
    assert sum(b.rows for b in right.table) == 600 and right.chance is not None


def test_rows_without_a_label_are_left_out_and_told_apart() -> None:
    window = logged(watched(), table())
    some = window["probability"] > 0.5
    right = found(window.assign(truth=window["truth"].where(some))).performance
    assert right.rows == some.sum() and right.share == pytest.approx(some.mean())
    assert right.probability == pytest.approx((window["probability"][some].mean(), window["probability"][~some].mean()))
    assert right.representative < 1e-6
    fair = np.random.default_rng(0).random(600) < 0.5
    assert found(window.assign(truth=window["truth"].where(fair))).performance.representative > 0.001


def test_no_label_says_so() -> None:
    health = found(logged(watched(), table(), truth=np.nan))
    assert health.performance.rows == 0 and not health.performance.lost
    assert health.performance.sentence.startswith("No label has arrived for this window")


def test_a_loss_starts_training_and_is_told() -> None:
    health = found(wrong(logged(watched(), table()), 0.3), retrain=True)
    assert health.verdict == "quiet" and health.performance.lost and health.retrain
    assert health.troubles == [health.performance.sentence]
    assert "points worse than on the test rows, significantly worse." in health.performance.sentence


def test_a_loss_within_the_margin_is_none() -> None:
    window = wrong(logged(watched(), table()), 0.3)
    loss = found(window, margin=0.1).performance
    assert loss.lost and "significantly worse by more than 10.0 points" in loss.sentence
    within = found(window, margin=0.4).performance
    assert not within.lost and "no significant loss of more than 40.0 points" in within.sentence


def test_a_loss_of_a_metric_that_should_be_small_has_the_same_sign() -> None:
    window = logged(watched(), table())
    worse = found(wrong(window, 0.3), metric="log_loss").performance
    assert worse.lost and worse.loss.value > 0 and "nats worse" in worse.sentence
    assert not found(window, metric="log_loss").performance.lost


def test_few_labels_or_copies_of_few_tell_nothing() -> None:
    few = wrong(logged(watched(), table(40, 3)), 0.8)
    assert not found(few).performance.lost
    again = few.iloc[np.arange(2000) % 40].reset_index(drop=True)
    again = again.assign(request_id=[f"r{i}" for i in range(2000)])
    right = found(again).performance
    assert not right.lost and right.sentence.startswith("40 different labelled rows of the 50")


def test_rows_of_one_answer_leave_undefined_what_needs_both() -> None:
    window = logged(watched(), table())
    health = found(window[window["truth"] == 1])
    assert health.performance.scores["auroc"].value is None
    assert "calibration_slope" not in health.performance.calibration
    assert MonitoringSummary.model_validate_json(health.model_dump_json()) == health


def test_without_test_rows_there_is_nothing_to_compare_with() -> None:
    health = monitor_window(watched(), logged(watched(), table()), Monitoring())
    assert health.performance.loss is None and not health.performance.lost
    assert "cannot be compared with the test rows" in health.performance.sentence
    assert "probability" not in {w.column for w in health.drift.watched}


@pytest.mark.parametrize("rows", [50, 300])
def test_a_loss_that_is_none_is_seldom_called_sure(rows: int) -> None:
    random, times, alpha = np.random.default_rng(1), 150, 0.02
    sides = [(answered(random, rows, 0.95), answered(random, 300, 0.95)) for _ in range(times)]
    alarms = sum(performance_loss(now, test, "accuracy", alpha).low > 0 for now, test in sides)
    assert alarms <= binom.ppf(0.999, times, alpha)


def test_a_large_loss_is_found() -> None:
    random = np.random.default_rng(2)
    sides = [(answered(random, 200, 0.8), answered(random, 300, 0.95)) for _ in range(30)]
    assert sum(performance_loss(now, test, "accuracy", 0.01).low > 0 for now, test in sides) >= 27

"""The gate's rules one by one, in the order in which they speak, and the sentences that a reader gets."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from credence.evaluation.gate import Gate, Guard, Side, Verdict, detectable, judge
from credence.statistics.metrics import METRICS
from credence.statistics.uncertainty import sigmoid

RESAMPLES = 400


class Case:
    """Test rows with a known truth, and sides that answer them with more or less noise."""

    def __init__(self, n: int = 400, seed: int = 0) -> None:
        self.rng = np.random.default_rng(seed)
        self.z = 4 * self.rng.standard_normal(n)
        label = (self.rng.random(n) < sigmoid(self.z)).astype(int)
        group, key = np.where(np.arange(n) % 2, "left", "right"), [f"row {i}" for i in range(n)]
        self.rows = pd.DataFrame({"label": label, "group": group, "key": key})

    def side(self, noise: float = 0.3, shift: float = 0.0, name: str = "new", **about: Any) -> Side:
        p = sigmoid(self.z + noise * self.rng.standard_normal(len(self.z)) + shift)
        sets = np.stack([p < 0.9, p > 0.1], axis=1)
        return Side(p, p >= 0.5, sets, 1.0, name, **about)

    def judge(self, ours: Side, theirs: Side | None, looks: int = 0, seen: Any = None, **gate: Any) -> Verdict:
        return judge(ours, theirs, self.rows, 0.5, Gate(**{"resamples": RESAMPLES, **gate}), looks, seen)


@pytest.fixture
def case() -> Case:
    return Case()


def test_a_clearly_better_challenger_is_promoted_and_the_sentence_says_why(case: Case) -> None:
    verdict = case.judge(case.side(), case.side(noise=4.0))
    assert verdict.outcome == "promote"
    assert verdict.reason.startswith("On 400 test rows the challenger's accuracy is 0.")
    assert "points better; with 96.96 % confidence it is at least" in verdict.reason
    assert verdict.reason.endswith("so significantly better.")
    assert verdict.difference is not None
    assert 0 < verdict.difference.low < verdict.difference.value < verdict.difference.high


def test_a_worse_challenger_is_kept_out_and_told_what_could_have_been_seen(case: Case) -> None:
    verdict = case.judge(case.side(noise=2.0), case.side())
    assert verdict.outcome == "keep"
    assert "worse; with" in verdict.reason
    assert verdict.reason.endswith("would usually go unnoticed here.")
    assert f"under {100 * verdict.detectable:.1f} points" in verdict.reason


@pytest.mark.parametrize("metric", METRICS)
def test_every_metric_can_be_judged(case: Case, metric: str) -> None:
    verdict = case.judge(case.side(), case.side(noise=4.0), metric=metric)
    assert verdict.metric == metric
    assert verdict.difference is not None
    assert verdict.difference.value > 0
    assert METRICS[metric].title in verdict.reason


def test_a_margin_lets_an_equal_challenger_in_where_enough_rows_speak() -> None:
    case = Case(4000)
    ours, theirs = case.side(), case.side(name="old")
    assert case.judge(ours, theirs, margin=0.03).outcome == "promote"
    assert "within the margin of 3.0 points" in case.judge(ours, theirs, margin=0.03).reason
    assert case.judge(ours, theirs).outcome == "keep"


def test_a_margin_does_not_excuse_a_larger_loss() -> None:
    case = Case(4000)
    verdict = case.judge(case.side(noise=3.0), case.side(), margin=0.01)
    assert verdict.outcome == "keep"
    assert "beyond the margin of 1.0 points" in verdict.reason


def test_without_a_champion_the_minimum_and_the_constant_decide(case: Case) -> None:
    verdict = case.judge(case.side(), None, minimum=0.7)
    assert verdict.outcome == "promote"
    assert "no champion yet" in verdict.reason
    assert "clears the limit 0.7" in verdict.reason
    assert verdict.champion is None
    assert verdict.difference is None
    assert verdict.mcnemar_p is None
    assert case.judge(case.side(), None, minimum=0.99).outcome == "keep"


@pytest.mark.parametrize(("metric", "limit", "outcome"), [("log_loss", 0.6, "promote"), ("log_loss", 0.05, "keep")])
def test_for_a_loss_the_minimum_is_a_ceiling(case: Case, metric: str, limit: float, outcome: str) -> None:
    verdict = case.judge(case.side(), None, metric=metric, minimum=limit)
    assert verdict.outcome == outcome
    assert (outcome == "promote") != ("above the highest allowed 0.05" in verdict.reason)


def test_an_undefined_metric_does_not_clear_a_minimum(case: Case) -> None:
    p = np.minimum(case.side().p, 0.49)
    silent = Side(p, p >= 0.5, None, None, "never says yes")
    verdict = case.judge(silent, None, metric="precision", minimum=0.5)
    assert verdict.outcome == "keep"
    assert "not defined" in verdict.reason
    assert "cannot be compared" in case.judge(silent, case.side(), metric="precision").reason


def test_no_minimum_however_low_lets_a_constant_in(case: Case) -> None:
    p = np.full(400, 0.9)
    always_yes = Side(p, p >= 0.5, None, None, "always yes")
    verdict = case.judge(always_yes, None, metric="recall", minimum=0.5)
    assert verdict.challenger.value == 1
    assert verdict.outcome == "keep"
    assert "not significantly better than a constant that gives every row the share of yes, 0.50" in verdict.reason
    assert verdict.better_than_constant.low <= 0


def test_the_constant_comes_before_the_champion(case: Case) -> None:
    noise = sigmoid(case.rng.standard_normal(400))
    ours, theirs = (Side(p, p >= 0.5, None, None, "") for p in (noise, 1 - case.side().p))
    assert case.judge(ours, theirs, margin=0.3).outcome == "keep"
    assert "constant" in case.judge(ours, theirs, margin=0.3).reason


def test_the_same_answers_are_kept_and_no_look_is_spent(case: Case) -> None:
    ours = case.side()
    verdict = case.judge(ours, replace(ours, digest="old"), looks=3, margin=0.1)
    assert verdict.outcome == "keep"
    assert "right and wrong on the same rows" in verdict.reason
    assert "nothing to gain" in verdict.reason
    assert verdict.looks == 3
    assert verdict.mcnemar_p == 1


def test_same_labels_are_the_same_for_accuracy_but_not_for_log_loss(case: Case) -> None:
    ours = case.side()
    theirs = replace(ours, p=sigmoid(3 * np.log(ours.p / (1 - ours.p))), digest="too sure")
    assert "nothing to gain" in case.judge(ours, theirs).reason
    verdict = case.judge(ours, theirs, metric="log_loss")
    assert verdict.outcome == "promote"
    assert "nats better" in verdict.reason
    assert verdict.looks == 1


def test_disputes_that_the_metric_does_not_read_are_nothing_to_gain(case: Case) -> None:
    """Recall reads the true yes rows alone."""
    ours = case.side()
    other = ours.yes.copy()
    other[np.flatnonzero((case.rows["label"] == 0) & ~ours.yes)[:5]] = True
    verdict = case.judge(ours, replace(ours, yes=other), metric="recall", margin=0.1)
    assert verdict.outcome == "keep"
    assert "nothing to gain" in verdict.reason
    assert verdict.disputed == 5 / 400


def test_mcnemar_counts_the_rows_that_one_side_alone_has_right(case: Case) -> None:
    y = case.rows["label"].to_numpy() == 1
    ours, theirs = y.copy(), y.copy()
    theirs[:8], ours[8:9] = ~y[:8], ~y[8:9]
    new, old = (Side(np.where(s, 0.9, 0.1), s, None, None, "") for s in (ours, theirs))
    verdict = case.judge(new, old)
    assert verdict.mcnemar_p == pytest.approx(2 * (1 + 9) / 2**9)
    assert verdict.disputed == 9 / 400


def test_each_look_may_spend_less_and_all_looks_together_no_more_than_alpha(case: Case) -> None:
    ours, theirs = case.side(), case.side(noise=4.0)
    verdicts = [case.judge(ours, theirs, looks=k) for k in range(8)]
    levels = [v.level for v in verdicts]
    assert levels == sorted(levels, reverse=True)
    assert [v.looks for v in verdicts] == list(range(1, 9))
    for k, verdict in enumerate(verdicts):
        assert verdict.level_left == pytest.approx(0.05 - sum(levels[: k + 1]))
    assert ["bring fresh rows" in v.reason for v in verdicts] == [False] * 5 + [True] * 3
    lows = [v.difference.low for v in verdicts if v.difference]
    assert lows == sorted(lows, reverse=True)


def test_a_look_counts_even_where_the_minimum_decided(case: Case) -> None:
    """Otherwise a strict minimum would let the same level be tried again and again."""
    assert case.judge(case.side(), case.side(noise=4.0), minimum=0.999).looks == 1
    assert case.judge(case.side(), None).looks == 0


def test_rows_that_the_champion_has_seen_are_left_out_and_counted(case: Case) -> None:
    seen = np.arange(400) < 30
    ours, theirs = case.side(), case.side(noise=4.0)
    verdict = case.judge(ours, theirs, seen=seen)
    assert (verdict.rows, verdict.left_out) == (370, 30)
    fresh = Case()
    fresh.rows = case.rows[~seen]
    alone = fresh.judge(ours.without(seen), theirs.without(seen))
    assert verdict.difference == alone.difference
    assert verdict.reason == alone.reason


@pytest.mark.parametrize("count", [60, 400])
def test_a_champion_that_has_seen_too_much_makes_it_a_hold(case: Case, count: int) -> None:
    verdict = case.judge(case.side(), case.side(noise=4.0), seen=np.arange(400) < count)
    assert verdict.outcome == "hold"
    assert f"{count} of these 400 test rows" in verdict.reason
    assert "gate.seen_share" in verdict.reason
    assert (verdict.left_out, verdict.looks, verdict.champion) == (count, 0, None)


def test_a_champion_that_cannot_answer_makes_it_a_hold(case: Case) -> None:
    verdict = judge(case.side(), None, case.rows, 0.5, Gate(), unanswerable="The champion wants column 'age'.")
    assert verdict.outcome == "hold"
    assert verdict.reason == "The champion wants column 'age'."


def test_what_cannot_answer_does_not_save_a_bad_challenger(case: Case) -> None:
    noise = sigmoid(case.rng.standard_normal(400))
    verdict = judge(Side(noise, noise >= 0.5, None, None, ""), None, case.rows, 0.5, Gate(), unanswerable="no")
    assert verdict.outcome == "keep"


def test_a_failed_guard_turns_a_promotion_into_a_hold(case: Case) -> None:
    ours, theirs = replace(case.side(), milliseconds=9.0), case.side(noise=4.0)
    verdict = case.judge(ours, theirs, latency_ms=5)
    assert verdict.outcome == "hold"
    assert "so significantly better. But a person must look first" in verdict.reason
    assert "latency: 9 ms per row, limit 5 ms" in verdict.reason
    assert case.judge(theirs, ours, latency_ms=0.5).outcome == "keep"


def test_guards_can_be_switched_off(case: Case) -> None:
    verdict = case.judge(case.side(), case.side(), worst_group=None, calibration_error=False, coverage=False)
    assert [g.name for g in verdict.guards] == ["latency"]
    assert [type(g) for g in verdict.guards] == [Guard]
    names = {g.name for g in case.judge(case.side(), case.side()).guards}
    assert names == {"latency", "calibration_error", "coverage", "worst_group"}


def test_rows_that_share_a_key_are_one_piece_of_evidence(case: Case) -> None:
    ours, theirs = case.side(), case.side(noise=2.0)
    alone = case.judge(ours, theirs)
    tenfold = Case()
    tenfold.rows = pd.concat([case.rows] * 10)
    new, old = (Side(np.tile(s.p, 10), np.tile(s.yes, 10), None, None, "") for s in (ours, theirs))
    together = tenfold.judge(new, old)
    assert alone.difference is not None
    assert together.difference is not None
    assert together.difference.low == pytest.approx(alone.difference.low, abs=0.003)


def test_a_verdict_survives_json_with_figures_that_are_not_defined(case: Case) -> None:
    verdict = case.judge(case.side(), case.side(noise=4.0), metric="precision")
    assert np.isnan(case.judge(case.side(), None, metric="npv").constant.value)
    text = verdict.model_dump_json()
    assert Verdict.model_validate_json(text).model_dump_json() == text
    json.loads(text, parse_constant=lambda word: pytest.fail(f"{word} is not JSON"))


def test_the_same_case_gets_the_same_verdict(case: Case) -> None:
    ours, theirs = case.side(), case.side(noise=1.0)
    assert case.judge(ours, theirs) == case.judge(ours, theirs)


def test_the_constant_has_the_figures_of_a_constant(case: Case) -> None:
    assert case.judge(case.side(), None, metric="auroc").constant.value == 0.5
    assert case.judge(case.side(), None, metric="log_loss").constant.value == pytest.approx(np.log(2))


def test_detectable_is_the_textbook_formula() -> None:
    assert detectable(114, 0.06) == pytest.approx((1.6449 + 0.8416) * np.sqrt(0.06 / 114), rel=1e-4)
    assert detectable(400, 0.06, 0.99) > detectable(400, 0.06) == pytest.approx(2 * detectable(1600, 0.06))


def test_without_a_champion_the_detectable_difference_rests_on_the_challengers_mistakes(case: Case) -> None:
    verdict = case.judge(case.side(), None)
    assert verdict.detectable == pytest.approx(detectable(400, 1 - verdict.challenger.value, 1 - verdict.level))


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"metric": "acuracy"}, "accuracy"),
        ({"minimum": 95}, "minimum is 95, but accuracy is never above 1"),
        ({"margin": -0.01}, "greater than or equal to 0"),
        ({"confidence": 0.4}, "greater than 0.5"),
        ({"resamples": 10}, "greater than or equal to 200"),
        ({"marginn": 0.1}, "Extra inputs"),
    ],
)
def test_a_gate_refuses_what_makes_no_sense(wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        Gate(**wrong)


def test_every_setting_says_what_it_is_for() -> None:
    assert all(field.description for field in Gate.model_fields.values())

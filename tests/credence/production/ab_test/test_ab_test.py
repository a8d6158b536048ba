"""Champion against challenger: pairing, bounds, recommendation, its words and its picture."""

import re
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from credence.core.errors import InputError
from credence.data.prediction_log.closed_segments import write_segment
from credence.data.prediction_log.reader import join_feedback, read_feedback, read_predictions
from credence.data.prediction_log.schema import FEEDBACK, PREDICTION
from credence.production.ab_test import ABTestResult, compare_on_traffic, differences, pair_answers
from credence.production.ab_test.html_page import ab_test_page, ab_test_section, betting_course
from credence.production.ab_test.paired_answers import log_loss_gains
from credence.statistics.confidence_sequence import (
    STAKE_GRID,
    betting_wealth,
    log_wealth,
    log_wealth_path,
    worst_case_loss,
)
from tests.support.ab_test_cases import START, log


def test_a_better_challenger_is_to_be_promoted_by_hand() -> None:
    trial = compare_on_traffic(pair_answers(log(4000)))
    assert trial.recommendation == "promote"
    assert trial.gain is not None
    assert 0 < trial.gain.low < trial.gain.value < trial.gain.high
    assert trial.p_value < 0.05
    assert trial.sentence.endswith("Promote it.")
    assert f"significantly lower, by at least {trial.gain.low:.4f}"[:-2] in trial.sentence
    words = shlex.split(trial.command or "")
    assert words[:8] == ["python", "run.py", "--pipeline", "promotion", "--task", "t", "--to", "2"]
    assert words[8:] == ["--reason", f"log-loss lower by {trial.gain.value:.4f} on 4,000 labelled rows"]


def test_a_worse_challenger_is_not() -> None:
    trial = compare_on_traffic(pair_answers(log(4000, champion=0.3, challenger=0.8)))
    assert (trial.recommendation, trial.command) == (
        "keep",
        'python run.py --pipeline promotion --task t --challenger none --reason "…"',
    )
    assert trial.gain is not None and trial.gain.high < 0
    assert "significantly higher, by at least" in trial.sentence and trial.sentence.endswith("the challenger is worse.")


def test_a_gain_below_the_margin_is_ruled_out_in_time() -> None:
    frame = pair_answers(log(8000, champion=0.2, challenger=0.2))
    trial = compare_on_traffic(frame)
    assert trial.recommendation == "keep"
    assert trial.gain is not None and trial.gain.low < 0 < trial.gain.high < trial.margin
    assert "a gain of 0.01, the margin, is ruled out" in trial.sentence
    assert compare_on_traffic(frame, margin=0.001).recommendation == "wait"


def test_few_rows_mean_waiting_and_for_how_long() -> None:
    trial = compare_on_traffic(pair_answers(log(600)))
    assert (trial.recommendation, trial.command) == ("wait", None)
    assert trial.more is not None and trial.days is not None
    assert trial.days == pytest.approx(trial.more * 599 / 600 / 60 / 24)
    assert re.search(r"about [\d,]+ more labelled ones decide, \d+ (hours?|days?) at the rate so far", trial.sentence)


def test_what_is_said_to_be_needed_is_about_what_is_needed() -> None:
    """The same rows once more, again and again, until they decide."""
    frame = pair_answers(log(600))
    first = compare_on_traffic(frame)
    assert first.recommendation == "wait" and first.more is not None
    again = pd.concat([frame.assign(request_id=frame["request_id"] + f"/{i}") for i in range(40)], ignore_index=True)
    enough, short = (again.head(len(frame) + round(first.more * f)) for f in (1.15, 0.7))
    assert compare_on_traffic(enough).recommendation != "wait"
    assert compare_on_traffic(short).recommendation == "wait"


def test_before_any_truth_disagreement_is_all_there_is() -> None:
    trial = compare_on_traffic(pair_answers(log(2000, labelled=0)))
    assert (trial.gain, trial.labelled, trial.p_value, trial.recommendation) == (None, 0, 1.0, "wait")
    assert trial.disagreement.low < trial.disagreement.value < trial.disagreement.high
    assert "no label is known yet" in trial.sentence and "/feedback" in trial.sentence


def test_answers_too_alike_to_gain_anything_need_no_truth() -> None:
    trial = compare_on_traffic(pair_answers(log(600, champion=0, challenger=0.001, labelled=0)))
    assert trial.recommendation == "keep"
    assert "even if every label agreed with it" in trial.sentence
    assert compare_on_traffic(pair_answers(log(400, champion=0, challenger=0.001, labelled=0))).recommendation == "wait"


def test_the_gain_is_the_difference_of_log_losses() -> None:
    frame = pair_answers(log(300))
    p, q, y = frame["p_champion"], frame["p_challenger"], frame["truth"] == 1
    loss = [-np.log(np.where(y, side, 1 - side)) for side in (p, q)]
    gain, least, most = differences(frame, "row")
    assert gain == pytest.approx(loss[0] - loss[1])
    assert (least <= gain).all() and (gain <= most).all()
    assert compare_on_traffic(frame).possible == pytest.approx(most.mean())


def test_certain_answers_cost_sixteen_nats_not_everything() -> None:
    frame = pair_answers(log(50)).assign(p_challenger=[0.0, 1.0] * 25, truth=[1.0, 0.0] * 25)
    assert np.isfinite(np.concatenate(log_loss_gains(frame))).all()
    assert compare_on_traffic(frame).recommendation == "keep"


def test_a_row_that_comes_again_is_no_new_evidence() -> None:
    once = log(200)
    later = once.assign(
        request_id=once["request_id"] + "b",
        time=once["time"] + pd.Timedelta("1D"),
        answered_at=once["answered_at"] + pd.Timedelta("1D"),
    )
    twice = pd.concat([once, later])
    trial, alone = compare_on_traffic(pair_answers(twice)), compare_on_traffic(pair_answers(once))
    assert (trial.rows, trial.repeats, alone.repeats) == (200, 200, 0)
    assert trial.gain == alone.gain
    assert compare_on_traffic(pair_answers(twice, once=False)).rows == 400


def test_a_repeat_lends_its_truth_to_a_row_that_had_none() -> None:
    first = log(50, labelled=0)
    second = log(50).assign(request_id=lambda t: t["request_id"] + "b", time=lambda t: t["time"] + pd.Timedelta("1D"))
    frame = pair_answers(pd.concat([first, second]))
    assert len(frame) == 50 and frame["truth"].notna().all()


def test_rows_without_inputs_or_of_another_group_are_different_rows() -> None:
    same = log(20).assign(inputs='{"x": 1.0}')
    assert len(pair_answers(same)) == 1
    assert len(pair_answers(same.assign(inputs=None))) == 20
    assert len(pair_answers(same.assign(group=[f"g{i % 5}" for i in range(40)]))) == 5


def test_a_request_counts_once() -> None:
    frame = pair_answers(log(1000, batch=10))
    trial, rows = compare_on_traffic(frame), compare_on_traffic(frame, unit="row")
    assert (trial.units, trial.labelled, rows.units) == (100, 1000, 1000)
    assert trial.gain is not None and rows.gain is not None
    assert trial.gain.value == pytest.approx(rows.gain.value)
    assert trial.gain.high - trial.gain.low > rows.gain.high - rows.gain.low


def test_only_rows_that_both_answered_and_only_the_newest_pair() -> None:
    lost = log(100).drop(index=[3, 150])
    assert len(pair_answers(lost)) == 98
    older = log(100, seed=1).assign(version="t:0", time=lambda t: t["time"] - pd.Timedelta("9D"))
    frame = pair_answers(pd.concat([log(60), older.assign(request_id=older["request_id"] + "old")]))
    assert len(frame) == 60
    assert set(frame["champion"]) == {"t:1"} and set(frame["challenger"]) == {"t:2"}


def test_the_sides_may_read_different_columns_of_a_row() -> None:
    other = log(40).assign(
        inputs=lambda t: t["inputs"].where(t["role"] == "champion", t["inputs"].str.replace("x", "z"))
    )
    assert compare_on_traffic(pair_answers(other)).gain == compare_on_traffic(pair_answers(log(40))).gain


def test_an_id_that_a_caller_gave_to_different_rows_pairs_nothing() -> None:
    again = log(10, seed=9).assign(request_id=lambda t: t["request_id"].replace({"r0": "x"}))
    both = pd.concat([log(10), again])
    assert set(pair_answers(both)["request_id"]) == {"r0", "x"}


def test_the_log_as_it_is_written_and_read_can_be_compared(tmp_path: Path) -> None:
    folder, given = tmp_path / "predictions", log(60).drop(columns=["truth", "answered_at"])
    absent = {"low": None, "high": None, "uncertainty": None, "epistemic": None, "aleatoric": None, "latency_ms": None}
    whole = given.assign(delivered=True, source="http", abstain=False, **absent)
    whole["set"], whole["reasons"] = [[["yes"]] * len(whole), [[]] * len(whole)]
    table = pa.Table.from_pylist(whole.to_dict("records"), schema=PREDICTION)
    write_segment(folder, "one", table)
    told = [{"request_id": f"r{i}", "row": 0, "time": START, "label": "yes"} for i in range(30)]
    write_segment(tmp_path / "feedback", "one", pa.Table.from_pylist(told, schema=FEEDBACK))
    answers = ("no", "yes")
    trial = compare_on_traffic(
        pair_answers(join_feedback(read_predictions(tmp_path).frame, read_feedback(tmp_path).frame, answers).frame)
    )
    assert (trial.rows, trial.labelled, trial.champion, trial.challenger) == (60, 30, "t:1", "t:2")


def test_truths_come_in_the_order_of_their_arrival() -> None:
    late = log(30, labelled=0.5)
    late["answered_at"] = late["time"].max() - (late["answered_at"] - late["time"].min())
    frame = pair_answers(late)
    told = frame["truth"].notna().to_numpy()
    assert told[: told.sum()].all()
    assert frame["answered_at"].dropna().is_monotonic_increasing


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda t: t[t["role"] == "champion"], "no answer of a challenger"),
        (lambda t: t.drop(columns="truth"), "no column 'truth'"),
        (lambda t: t.assign(row=range(len(t))), "no row in common"),
    ],
)
def test_a_log_that_cannot_be_compared_says_why(spoil: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        pair_answers(spoil(log(20)))


@pytest.mark.parametrize(("key", "value"), [("alpha", 0.0), ("alpha", 1.0), ("margin", 0.0), ("margin", -1.0)])
def test_a_senseless_setting_is_refused(key: str, value: float) -> None:
    with pytest.raises(InputError, match=f"{key} is {value:g}; expected"):
        compare_on_traffic(pair_answers(log(20)), **{key: value})  # type: ignore[arg-type]
    with pytest.raises(InputError, match="have answered no row in common"):
        compare_on_traffic(pair_answers(log(20)).head(0))


def test_a_trial_survives_json() -> None:
    for n, labelled in ((30, 0.0), (600, 1.0), (4000, 1.0)):
        trial = compare_on_traffic(pair_answers(log(n, labelled=labelled)))
        assert ABTestResult.model_validate_json(trial.model_dump_json()) == trial


steps = st.lists(st.tuples(st.floats(-9, 9), st.floats(-9, 9), st.floats(0, 1)), min_size=1, max_size=40)


@settings(max_examples=100, deadline=None)
@given(steps, st.sampled_from(STAKE_GRID.tolist()))
def test_no_bet_gains_by_a_fair_row(rows: list[tuple[float, float, float]], bet: float) -> None:
    """The one inequality that the guarantee rests on: the factor's expectation is at most exp(bet x expected value)."""
    a, b, chance = (np.array(x) for x in zip(*rows, strict=True))
    worst = np.minimum(a, b)
    factors = [np.exp([log_wealth(v[i : i + 1], worst[i : i + 1], bet)[0] for i in range(len(a))]) for v in (a, b)]
    expected = chance * factors[0] + (1 - chance) * factors[1]
    assert (expected <= np.exp(bet * (chance * a + (1 - chance) * b)) * (1 + 1e-9)).all()


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 300), st.floats(0.01, 3))
def test_bounds_enclose_the_mean_and_agree_with_the_path(seed: int, n: int, scale: float) -> None:
    values = scale * np.random.default_rng(seed).uniform(-1, 1, n)
    worst = np.full(n, -scale)
    [above], [below] = betting_wealth(values, worst), betting_wealth(-values, worst)
    assert above.bound(0.05) < values.mean() < -below.bound(0.05)
    assert above.bound(0.01) < above.bound(0.05)
    assert above.log(above.bound(0.05)) == pytest.approx(np.log(20), abs=1e-4)
    assert log_wealth_path(values[None], worst[None])[0, -1] == pytest.approx(above.log(), abs=1e-9)
    assert log_wealth_path(values, worst, 0.1)[-1] == pytest.approx(above.log(0.1), abs=1e-9)


def test_two_unseen_rows_are_owed() -> None:
    assert worst_case_loss(np.array([-1.0, -3.0, -2.0])).tolist() == [2, 6, 6]
    assert worst_case_loss(np.array([1.0, -3.0]), unseen=0).tolist() == [0, 0]


def test_no_rows_bound_nothing() -> None:
    [nothing] = betting_wealth(np.array([]), np.array([]))
    assert (nothing.units, nothing.log(), nothing.bound(0.05)) == (0, 0.0, -np.inf)


def test_the_picture_ends_where_the_trial_does() -> None:
    frame = pair_answers(log(800, labelled=0.9))
    trial = compare_on_traffic(frame)
    units, mean, low, high = betting_course(trial, frame)
    assert trial.gain is not None
    assert units[-1] == trial.units
    assert [mean[-1], low[-1], high[-1]] == pytest.approx([trial.gain.value, trial.gain.low, trial.gain.high])
    assert (low < mean).all() and (mean < high).all()


def test_the_page_is_whole_and_escaped() -> None:
    frame = pair_answers(log(600).assign(task="<t>"))
    trial = compare_on_traffic(frame)
    text = ab_test_page(trial, frame)
    assert text.startswith("<!doctype html>") and text.endswith("</html>")
    assert "<t>" not in text and "&lt;t&gt;" in text
    assert "http" not in re.sub(r'xmlns(:\w+)?="[^"]*"', "", text)
    assert text.count("<svg") == 1 and ab_test_section(trial, frame) in text
    bare = pair_answers(log(600, labelled=0))
    assert "<svg" not in ab_test_page(compare_on_traffic(bare), bare)

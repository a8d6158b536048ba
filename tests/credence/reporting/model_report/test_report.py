"""The report on really trained predictors: complete, paired, honest about what it does not know."""

import json

import numpy as np
import pytest

from credence.reporting.measure import Measure, measure_with_intervals
from credence.reporting.model_report import Report, build_report
from credence.reporting.model_report.candidates import Candidate
from credence.statistics.metrics import METRICS, score
from tests.support.evaluation_cases import KINDS, part, predictor, report


@pytest.fixture(scope="module")
def found() -> Report:
    return report()


def every_measure(found: Report) -> dict[str, Measure]:
    groups = {f"{g.name} {k}": m for g in found.groups for k, m in g.scores.items()}
    lines = {f"{c.title} {k}": m for c in found.candidates for k, m in c.scores.items()}
    return (
        found.scores | found.calibration.errors | found.calibration.brier_parts | found.operating.rates | groups | lines
    )


def test_it_survives_json(found: Report) -> None:
    text = found.model_dump_json()
    assert Report.model_validate_json(text) == found
    assert "NaN" not in text


def test_scores_are_those_of_what_is_served(found: Report) -> None:
    rows, best = part("test"), predictor(KINDS[0])
    answers = best.predict(rows)
    p, yes = answers["probability"].to_numpy(), (answers["label"] == "yes").to_numpy()
    for name, m in found.scores.items():
        assert m.value == pytest.approx(score(name, p, yes, rows["label"].to_numpy())), name


def test_every_interval_holds_its_value_and_every_figure_says_on_how_many_rows(found: Report) -> None:
    for name, m in every_measure(found).items():
        assert m.n > 0, name
        if m.low is not None and m.high is not None and m.value is not None:
            assert m.low <= m.value <= m.high, name


def test_the_constant_is_always_compared_and_names_say_who_is_who(found: Report) -> None:
    assert sorted(c.role for c in found.candidates) == ["candidate", "champion", "constant", "winner"]
    assert found.candidates[-1].role == "constant"
    assert found.candidates[-1].scores["auroc"].value == 0.5
    share = predictor(KINDS[0]).info.base_rate
    y = part("test")["label"].to_numpy()
    expected = score("log_loss", np.full(len(y), share), np.full(len(y), share >= 0.5), y)
    assert found.candidates[-1].scores["log_loss"].value == pytest.approx(expected)


def test_intervals_are_paired(found: Report) -> None:
    """The champion is the second candidate: same answers, same resamples, same interval."""
    by_role: dict[str, Candidate] = {c.role: c for c in found.candidates}
    assert by_role["candidate"].scores == by_role["champion"].scores


def test_confusion_counts_and_their_denominators(found: Report) -> None:
    at, y = found.operating, part("test")["label"]
    assert at.true_yes + at.false_no == at.rates["sensitivity"].n == int(y.sum())
    assert at.true_yes + at.false_yes == at.rates["ppv"].n
    assert at.true_yes + at.false_yes + at.true_no + at.false_no == found.rows == len(y)
    assert at.rates["ppv"].value == pytest.approx(at.true_yes / (at.true_yes + at.false_yes))


def test_groups_with_few_rows_say_so(found: Report) -> None:
    by_name = {g.name: g for g in found.groups}
    assert sum(g.rows for g in found.groups) == found.rows
    assert not by_name["north"].few
    assert by_name["south"].few == (by_name["south"].rows < 30)
    assert found.groups[0].name == "north"


def test_conformal_coverage_counts_the_sets_that_are_served(found: Report) -> None:
    answers, y = predictor(KINDS[0]).predict(part("test")), part("test")["label"].to_numpy()
    held = [("no", "yes")[c] in s for c, s in zip(y, answers["set"], strict=True)]
    by_name = {c.among: c for c in found.conformal.table}
    assert set(by_name) == {"all rows", "no", "yes", "group north", "group south"}
    assert by_name["all rows"].share == pytest.approx(np.mean(held))
    assert by_name["yes"].share == pytest.approx(np.mean(np.array(held)[y == 1]))
    assert found.conformal.double == pytest.approx(np.mean([len(s) == 2 for s in answers["set"]]))
    assert by_name["all rows"].error == pytest.approx(np.sqrt(np.var(held) / len(held)), rel=0.1)


def test_several_draws_are_judged_by_their_disagreement_too(found: Report) -> None:
    assert set(found.selective) == {"total", "epistemic"} == set(found.curves.risk)
    told = found.uncertainty
    assert told.epistemic is not None
    assert told.aleatoric is not None
    assert told.total == pytest.approx(told.epistemic + told.aleatoric, abs=1e-6)


def test_one_draw_has_no_epistemic_figures() -> None:
    single = build_report([predictor("logistic", folds=1)], 0, None, part("test"), "f1", resamples=50)
    assert set(single.selective) == {"total"}
    assert single.uncertainty.epistemic is None
    assert single.uncertainty.interval_width is None
    assert [c.role for c in single.candidates] == ["winner", "constant"]
    assert "f1" in single.scores
    assert not any("epistemic" in name for name in single.flat())


def test_the_table_is_short_and_readable(found: Report) -> None:
    table = found.table()
    assert list(table)[:3] == ["candidate", "accuracy", "log-loss"]
    assert len(table) == len(found.candidates)
    assert f"{KINDS[0]} (winner)" in set(table["candidate"])
    assert table["log-loss"].str.fullmatch(r"\d\.\d+ \(\d\.\d+–\d\.\d+\)").all()


def test_flat_metrics_are_finite_numbers_under_names_that_trackers_take(found: Report) -> None:
    flat = found.flat()
    assert {"test/auroc", "test/auroc_low", "test/auroc_high", "test/group/north/accuracy", "test/rows"} <= set(flat)
    assert all(np.isfinite(v) for v in flat.values())
    odd = found.model_copy(update={"groups": [found.groups[0].model_copy(update={"name": 'A&B, "c"'})]}).flat()
    assert "test/group/A_B_ _c_/accuracy" in odd


def test_cost_is_measured_at_both_batches(found: Report) -> None:
    assert set(found.cost.batches) == {1, 32}
    for middle, slow in found.cost.batches.values():
        assert 0 < middle <= slow


def test_rows_of_one_key_stay_together_and_widen_intervals() -> None:
    rows = part("test").copy()
    twins = rows.loc[rows.index.repeat(6)].reset_index(drop=True)
    contenders = [predictor("logistic", folds=1)]
    apart = build_report(
        contenders, 0, None, twins.assign(key=[str(i) for i in twins.index]), "accuracy", resamples=200
    )
    together = build_report(contenders, 0, None, twins, "accuracy", resamples=200)
    width = [m.high - m.low for r in (apart, together) if (m := r.scores["accuracy"]).high and m.low]
    assert together.keys == len(rows)
    assert width[1] > 1.7 * width[0]


def test_calibrated_and_raw_log_loss_stand_beside_each_other(found: Report) -> None:
    best, rows = predictor(KINDS[0]), part("test")
    raw = best.model.draws(best.info.schema_.select(rows)).mean(0)
    expected = METRICS["log_loss"].of(raw, raw >= 0.5, rows["label"].to_numpy())
    assert found.calibration.raw_log_loss.value == pytest.approx(expected)


def test_a_centred_interval_holds_its_value_though_resampling_inflates_it() -> None:
    def inflated(w: np.ndarray) -> dict[str, np.ndarray]:
        return {"error": 0.01 + 0.05 * np.abs(w - 1.0).mean(1), "signed": -0.2 + 0.1 * (w[:, 0] > 1)}

    w = np.random.default_rng(0).multinomial(50, np.full(50, 0.02), 300)
    plain, centred = measure_with_intervals(inflated, w)["error"], measure_with_intervals(inflated, w, centred=True)
    assert plain.low == plain.value == 0.01
    assert centred["error"].high is not None
    assert centred["error"].high < 0.02
    assert centred["signed"].low is not None
    assert centred["signed"].low < -0.2
    assert json.loads(centred["signed"].model_dump_json())["n"] == 50

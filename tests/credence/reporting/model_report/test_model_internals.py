"""What a report shows beside the answers: evidence, orders, bits, learning and chains, absent where a kind has none."""

import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure

from credence.core.registry import load_kind
from credence.data.rows import model_inputs
from credence.model import Diagnostic, TrainingRecord
from credence.models.bayes.diagnostics import arviz
from credence.predictor import Predictor, TaskInfo
from credence.reporting import plot_style
from credence.reporting.model_report import Report, build_report, model_internals_plots
from credence.reporting.model_report.html_page import render, report_figures, report_tables
from credence.reporting.model_report.model_internals import (
    MAX_CHAINS,
    MAX_DRAWS,
    CodeLength,
    EvidenceReport,
    OrderReport,
    chain_ranks,
    r_hat,
    trim_training_record,
)
from credence.reporting.model_report.sentences import code_length_sentence, cost_sentence, input_warnings_sentence
from credence.statistics.calibration import Calibration
from credence.statistics.uncertainty import Array, decompose_uncertainty
from tests.support.evaluation_cases import TASK, findings, part, predictor, telling, text_predictor, verdict

RANDOM = np.random.default_rng(0)
CHAINS = {f"beta{i}": (RANDOM.normal(size=(3, 500)) + (i == 4) * np.arange(3)[:, None]).tolist() for i in range(9)}
LEARNED = TrainingRecord(
    passes=20,
    cpu_seconds=12.5,
    model_bits=64.0,
    chains=CHAINS,
    notes=["Stopped early <at> epoch 3."],
    curves={"loss": [0.7, 0.4, 0.3], "held-out log-loss": [0.6, 0.5, 0.55], "rate": [1.0, 2.0, 3.0]},
    diagnostics=[
        Diagnostic(name="R-hat", value=1.004, bound="< 1.01", kept=True),
        Diagnostic(name="divergences", value=3, bound="0", kept=False),
    ],
)
OWN = {"parts", "evidence", "learning", "traces", "ranks"}


def said(X: pd.DataFrame) -> dict[str, Array]:
    """Evidence that grows with income, orders that matter by row, and a p-value of its own."""
    size = np.exp(X["income"].to_numpy())
    return {
        "alpha": 3 * size,
        "beta": size,
        "order_sd": size / 100,
        "order_jsd": size / 1000,
        "order_gain_yes": size / 10,
        "order_gain_no": size / 20,
        "ood_pvalue": np.clip(np.abs(X["income"].to_numpy()) / 4, 0, 1),
        "k_used": np.where(size > 1, 8.0, 2.0),
    }


@pytest.fixture(scope="module")
def rich() -> Report:
    best = telling(predictor("logistic"), said, LEARNED)
    return build_report([best], 0, None, part("test"), "accuracy", resamples=100)


@pytest.fixture(scope="module")
def plain() -> Report:
    return build_report([predictor("logistic", folds=1)], 0, None, part("test"), "accuracy", resamples=50)


def page_of(found: Report) -> str:
    return render(found, verdict(), findings(), TASK)


def test_it_survives_json(rich: Report) -> None:
    assert Report.model_validate_json(rich.model_dump_json()) == rich
    assert "NaN" not in rich.model_dump_json()


def test_a_report_from_before_these_sections_still_reads(rich: Report) -> None:
    later = {"guarded", "code", "evidence", "order", "learned", "shifts"}
    old = rich.model_dump(mode="json", exclude=later | {"curves": {"parts"}, "cost": {"passes", "cpu_seconds"}}.keys())
    old |= {"curves": rich.curves.model_dump(exclude={"parts"}), "cost": {"fit_seconds": 1.0, "batches": {"1": [1, 2]}}}
    found = Report.model_validate(old)
    assert (
        found.shifts == []
        and found.evidence is None
        and code_length_sentence(found) == input_warnings_sentence(found) == ""
    )
    assert "<h2>Training</h2>" not in page_of(found)


def test_a_kind_without_these_figures_shows_none_of_them(plain: Report) -> None:
    assert plain.evidence is None and plain.order is None and plain.curves.parts == {}
    page = page_of(plain)
    assert page.count("<figcaption>") == 10
    for title in ("Training<", "Order of the parts", "Evidence", "Parts of the uncertainty", "passes of the model"):
        assert title not in page
    assert not [name for name in plain.flat() if "evidence" in name or "order" in name or "diagnostic" in name]


def test_all_figures_and_tables_are_on_the_page(rich: Report) -> None:
    drawn, page = report_figures(rich, None), page_of(rich)
    assert set(drawn) >= OWN
    for expected in (
        "<h2>Training</h2>",
        "Stopped early &lt;at&gt; epoch 3.",
        "R-hat",
        "&lt; 1.01",
        "divergences",
        "Traces",
        "by distance from training (density)",
        "Order of the parts",
        "12.5 s of processor time",
        "passes of the model",
        "plus 64.0 for its weights",
        "of the test rows because their inputs differ",
    ):
        assert expected in page, expected
    assert page.count("<figcaption>") == len(drawn)
    assert len(page.encode()) < 2_000_000


def test_flat_figures_have_names_of_their_own(rich: Report) -> None:
    flat = rich.flat()
    for name in (
        "evidence_right",
        "order_sd_mean",
        "order_sd_mean_low",
        "order_jsd_p95",
        "order_gain",
        "bits_data",
        "bits_saved",
        "bits_model",
        "cpu_seconds",
        "passes",
        "guarded",
        "diagnostic/R-hat",
        "diagnostic/divergences",
        "density/misclassification_auroc",
        "total/aurc",
        "total/augrc",
        "epistemic/accuracy_at_review_10",
    ):
        assert f"test/{name}" in flat, name
    assert all(np.isfinite(v) for v in flat.values())


def test_doubts_are_total_epistemic_and_density(rich: Report) -> None:
    assert list(rich.selective) == ["total", "epistemic", "density"] == list(rich.curves.risk)
    assert all({"misclassification_auroc", "aurc", "e_aurc", "augrc"} <= set(of) for of in rich.selective.values())


def test_the_parts_of_doubt_are_those_of_the_draws(rich: Report) -> None:
    rows, best = part("test"), predictor("logistic")
    _, epistemic, aleatoric = decompose_uncertainty(best.draws(rows))
    wrong = (best.predict(rows)["label"] == "yes").to_numpy() != (rows["label"] == 1).to_numpy()
    across, up = rich.curves.parts["wrong"]
    assert len(across) == wrong.sum() <= 200
    np.testing.assert_allclose(across, aleatoric[wrong], atol=1e-5)
    np.testing.assert_allclose(up, epistemic[wrong], atol=1e-5)


def test_evidence_counts_every_answer_once(rich: Report) -> None:
    found, at = rich.evidence, rich.operating
    assert found is not None
    assert sum(found.right) == at.true_yes + at.true_no and sum(found.wrong) == at.false_yes + at.false_no
    sizes = 4 * np.exp(part("test")["income"].to_numpy())
    assert 10 ** found.edges[0] == pytest.approx(sizes.min(), rel=1e-4)
    assert found.median_right is not None and sizes.min() < found.median_right < sizes.max()


def test_equal_evidence_and_no_error_are_drawn_too() -> None:
    same = {"alpha": np.ones(5), "beta": np.ones(5)}
    found = EvidenceReport.of(same, np.zeros(5, bool))
    assert found is not None and found.median_wrong is None and sum(found.right) == 5
    assert EvidenceReport.of({"alpha": np.ones(5)}, np.zeros(5, bool)) is None


@given(st.lists(st.floats(0, 1), min_size=2, max_size=40), st.integers(0, 3))
def test_order_quantiles_are_those_of_repeated_rows(x: list[float], seed: int) -> None:
    values, w = np.array(x), np.random.default_rng(seed).integers(0, 4, (1, len(x)))
    said, y = dict.fromkeys(("order_sd", "order_jsd", "order_gain_yes", "order_gain_no"), values), np.ones(len(x))
    found = OrderReport.of(said, y, np.ones((1, len(x)), dtype=np.int64))
    assert found is not None
    assert found.sd["mean"].value == pytest.approx(values.mean())
    assert found.jsd["p95"].value == np.quantile(values, 0.95, method="inverted_cdf")
    if w.sum():
        weighted = OrderReport.of(said, y, w)
        low = weighted.sd["p95"].low if weighted else None
        again = np.quantile(np.repeat(values, w[0]), 0.95, method="inverted_cdf")
        assert low == pytest.approx(min(again, found.sd["p95"].value or 0))


def test_what_averaging_orders_saved_is_told_at_the_true_answers(rich: Report) -> None:
    rows = part("test")
    size = np.exp(rows["income"].to_numpy())
    gain = np.where(rows["label"] == 1, size / 10, size / 20).mean()
    assert rich.order is not None and rich.order.gain is not None
    assert rich.order.gain.value == pytest.approx(gain)
    assert "Jensen gap" in page_of(rich)


def test_bits_are_those_of_the_log_loss_and_of_counting(rich: Report) -> None:
    code, n, share = rich.code, rich.rows, rich.yes / rich.rows
    assert code is not None and rich.scores["log_loss"].value is not None
    assert code.data == pytest.approx(n * rich.scores["log_loss"].value / np.log(2), rel=1e-6)
    entropy = -share * np.log2(share) - (1 - share) * np.log2(1 - share)
    assert code.labels == pytest.approx(n * entropy + 0.5 * np.log2(n), rel=1e-6)
    assert code.saved == pytest.approx(1 - (code.data + 64) / code.labels)
    assert "saves" in code_length_sentence(rich)


def test_a_predictor_that_costs_more_bits_than_it_tells_says_so(rich: Report) -> None:
    y = np.array([0, 1, 0, 1])
    poor = CodeLength.of(np.array([0.9, 0.1, 0.9, 0.1]), y, None)
    assert poor.saved < 0 and poor.labels == pytest.approx(4 + 1)
    assert re.search(
        r"The predictor costs [\d.]+ % more\.$", code_length_sentence(rich.model_copy(update={"code": poor}))
    )
    assert CodeLength.of(np.array([0.0, 1.0]), np.array([1, 0]), None).data < 200


def test_chains_that_mixed_worst_are_kept_and_thinned() -> None:
    found = trim_training_record(LEARNED)
    assert len(found.chains) == MAX_CHAINS and next(iter(found.chains)) == "beta4"
    assert all(len(chain) == MAX_DRAWS for chains in found.chains.values() for chain in chains)
    assert found.chains["beta4"][0][0] == pytest.approx(CHAINS["beta4"][0][0], rel=1e-5)
    assert found.diagnostics == LEARNED.diagnostics and trim_training_record(TrainingRecord()) == TrainingRecord()


def test_r_hat_tells_chains_that_agree_from_those_that_do_not() -> None:
    random = np.random.default_rng(1)
    mixed, apart = random.normal(size=(4, 400)), random.normal(size=(4, 400)) + np.arange(4)[:, None]
    drifting = random.normal(size=(4, 400)) + np.linspace(0, 3, 400)
    assert r_hat(mixed) < 1.01 < 1.2 < min(r_hat(apart), r_hat(drifting))
    assert r_hat(np.ones((2, 100))) == np.inf and r_hat(np.ones((2, 3))) == 1.0


def test_r_hat_is_that_of_arviz() -> None:
    chains = np.random.default_rng(2).normal(size=(4, 300)).cumsum(1) / 10
    assert r_hat(chains) == pytest.approx(float(arviz.rhat(chains, method="split")), rel=1e-9)


def test_ranks_are_level_where_chains_mixed_and_count_every_draw() -> None:
    mixed = chain_ranks(np.random.default_rng(3).normal(size=(4, 1000)), bins=10)
    assert mixed.shape == (4, 10) and (mixed.sum(1) == 1000).all() and (mixed.sum(0) == 400).all()
    assert mixed.min() > 60
    sorted_chains = chain_ranks(np.arange(40.0).reshape(4, 10), bins=4)
    assert (sorted_chains == 10 * np.eye(4)).all()


@pytest.mark.parametrize("name", ["parts", "evidence", "learning", "traces", "ranks"])
def test_every_figure_is_small_svg_and_png(rich: Report, name: str) -> None:
    figure: Figure = getattr(model_internals_plots, f"{name}_plot")(rich)
    drawn = plot_style.svg(figure, name, "alt")
    assert (
        drawn == plot_style.svg(getattr(model_internals_plots, f"{name}_plot")(rich), name, "alt")
        and len(drawn) < 400_000
    )
    assert plot_style.png(figure, 40).startswith(b"\x89PNG")


def test_the_cost_says_passes_and_processor_time(rich: Report, plain: Report) -> None:
    used = said(part("test"))["k_used"].mean()
    assert rich.cost.passes == pytest.approx(used) and rich.cost.cpu_seconds == 12.5
    assert f"{used:.2f} passes" in cost_sentence(rich)
    assert plain.cost.passes == 1 and "passes" not in cost_sentence(plain)
    assert plain.cost.cpu_seconds is not None and plain.cost.cpu_seconds > 0


def test_guards_hand_back_few_ordinary_rows(rich: Report, plain: Report) -> None:
    strange = telling(predictor("logistic"), said).input_warnings(part("test"))
    assert rich.guarded is not None and plain.guarded is not None
    assert rich.guarded.value == pytest.approx(np.mean([bool(why) for why in strange]))
    assert plain.guarded.value is not None and plain.guarded.value < 0.03


def test_a_network_shows_its_curves_and_its_passes() -> None:
    _, rows = text_predictor()
    rows = pd.concat([rows] * 3, ignore_index=True).assign(row_id=[str(i) for i in range(3 * len(rows))])
    model = load_kind("models", "bilstm")(epochs=3, passes=4, width=8, vocabulary=100).fit(
        model_inputs(rows), rows["label"].to_numpy()
    )
    about = TaskInfo(task="films", question="Is it praise?", answers=("no", "yes"))
    best = Predictor.calibrate(model, rows, rows, Calibration(), about)
    found = build_report([best], 0, None, rows, "accuracy", resamples=50)
    assert len(found.learned.curves["loss"]) == 3 and set(found.curves.parts) & {"right", "wrong"}
    page = page_of(found)
    assert "Training curves" in page and "Parts of the uncertainty" in page and found.evidence is None
    assert set(found.selective) == {"total", "epistemic"}
    assert "order" not in report_tables(found)

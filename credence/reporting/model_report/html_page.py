"""The report as one self-contained HTML page: no network, no script, figures as inline SVG."""

from pathlib import Path

import pandas as pd
import yaml
from markupsafe import Markup
from matplotlib.figure import Figure

from credence.data.checks import Findings
from credence.evaluation.gate.verdict import Verdict
from credence.predictor import TaskInfo
from credence.reporting import plot_style
from credence.reporting.html import template_environment
from credence.reporting.measure import (
    TITLES,
    Measure,
)
from credence.reporting.model_report import model_internals_plots, plots
from credence.reporting.model_report.report import Report
from credence.reporting.model_report.sentences import (
    calibration_sentence,
    code_length_sentence,
    cost_sentence,
    headline_sentence,
    input_warnings_sentence,
    missing_values_sentence,
    recalibration_sentence,
    uncertainty_sentence,
    usage_sentence,
)
from credence.reporting.model_report.shift_evaluation import UNCERTAINTY_SCORES
from credence.reporting.number_format import format_number, format_percent
from credence.statistics.metrics import METRICS

TEMPLATES = Path(__file__).parent / "templates"

Lines = list[tuple[str, Measure]]


def render(
    report: Report, verdict: Verdict, findings: Findings, task: TaskInfo, importance: pd.DataFrame | None = None
) -> str:
    """Render the whole page.

    Args:
        report: The measurements.
        verdict: The gate's verdict.
        findings: What the checks found in the rows.
        task: The task as the predictor keeps it, shown as YAML.
        importance: The table of `explain.importance`.
    """
    return (
        template_environment(TEMPLATES)
        .get_template("report.html.j2")
        .render(
            report=report,
            verdict=verdict,
            findings=findings,
            figures=report_figures(report, importance),
            tiles=key_figures(report),
            headline=headline_sentence(verdict),
            calibrated=calibration_sentence(report),
            uncertain=uncertainty_sentence(report),
            metrics=METRICS,
            recalibrated=recalibration_sentence(report),
            seen=usage_sentence(verdict),
            titles=TITLES,
            metric=METRICS[report.metric].title,
            tables=report_tables(report),
            importance_how=_importance_method(importance),
            missing=missing_values_sentence(findings),
            coded=code_length_sentence(report),
            guarded=input_warnings_sentence(report),
            costly=cost_sentence(report),
            doubts=UNCERTAINTY_SCORES,
            task=yaml.safe_dump(task.model_dump(mode="json", exclude_none=True), sort_keys=False, allow_unicode=True),
        )
    )


def key_figures(report: Report) -> list[tuple[str, str, str]]:
    """The key figures as (title, value, comparison)."""
    metric, auroc, loss = (report.scores[m] for m in (report.metric, "auroc", "log_loss"))
    ece, chance, held = report.calibration.errors["ece"], report.calibration.chance.high, report.conformal.table[0]
    constant = next(c.scores["log_loss"].value for c in report.candidates if c.role == "constant")
    first = (
        [] if report.metric in ("auroc", "log_loss", "ece") else [(METRICS[report.metric].title, metric.value, metric)]
    )
    shown = [(title, format_number(value), _interval(m)) for title, value, m in [*first, ("AUROC", auroc.value, auroc)]]
    return [
        *shown,
        (
            "log-loss",
            format_number(loss.value),
            f"{format_number(constant)} for the share of {report.answers[1]} alone",
        ),
        ("calibration error", format_number(ece.value), f"up to {format_number(chance)} by chance"),
        (
            "sets hold the true answer",
            format_percent(held.share),
            f"{format_percent(report.conformal.promised, 2)} promised",
        ),
        ("test rows", format_number(report.rows), f"{format_percent(report.yes / report.rows)} {report.answers[1]}"),
    ]


def report_tables(report: Report) -> dict[str, Lines]:
    """The measures of each section under readable titles."""
    calibration = report.calibration
    found = {"rates": report.operating.rates, "calibration": calibration.errors, "brier": calibration.brier_parts}
    titled = {name: [(TITLES[k], m) for k, m in lines.items()] for name, lines in found.items()}
    order = {} if report.order is None else {"order": [(TITLES[k], m) for k, m in report.order.measured().items()]}
    return titled | order | {"scores": [(METRICS[k].title, m) for k, m in report.scores.items()]}


def report_figures(report: Report, importance: pd.DataFrame | None) -> dict[str, Markup]:
    """All figures that have data, as inline SVG with alternative text."""
    metric, auprc = METRICS[report.metric].title, format_number(report.scores["auprc"].value)
    drawn: dict[str, tuple[Figure, str]] = {
        "candidates": (plots.candidates_plot(report), f"{metric} of every candidate with its 95 % interval"),
        "roc": (plots.roc_plot(report), f"ROC curve, area {format_number(report.scores['auroc'].value)}"),
        "precision_recall": (plots.precision_recall_plot(report), f"precision-recall curve, area {auprc}"),
        "histogram": (plots.histogram_plot(report), "histogram of the probabilities by true answer"),
        "reliability": (plots.reliability_plot(report), f"reliability diagram. {calibration_sentence(report)}"),
        "confusion": (plots.confusion_plot(report), _confusion(report)),
        "risk_coverage": (
            plots.risk_coverage_plot(report),
            "share of errors among the rows answered, most certain first",
        ),
        "review": (plots.review_plot(report), "accuracy by the share of rows that a person answers"),
        "net_benefit": (plots.net_benefit_plot(report), "net benefit by threshold, against acting always and never"),
    }
    drawn |= _internals_figures(report)
    if report.groups:
        drawn["groups"] = (plots.groups_plot(report), f"{metric} in every group with its 95 % interval")
    if importance is not None and len(importance) > 1:
        drawn["importance"] = (
            plots.importance_plot(importance),
            f"what matters most, {importance['column'].iloc[0]} first",
        )
    return {name: Markup(plot_style.svg(figure, name, alt)) for name, (figure, alt) in drawn.items()}  # nosec B704: own SVG


def _internals_figures(report: Report) -> dict[str, tuple[Figure, str]]:
    """Figures that only some kinds of models have."""
    learned, drawn = report.learned, {}
    if report.curves.parts:
        drawn["parts"] = (
            model_internals_plots.parts_plot(report),
            "uncertainty of each answer, aleatoric against epistemic",
        )
    if report.evidence is not None:
        drawn["evidence"] = (
            model_internals_plots.evidence_plot(report),
            "histogram of the evidence behind correct and behind wrong answers",
        )
    if any(map(len, learned.curves.values())):
        drawn["learning"] = (
            model_internals_plots.learning_plot(report),
            f"training curves by epoch: {', '.join(learned.curves)}",
        )
    if learned.chains:
        drawn["traces"] = (
            model_internals_plots.traces_plot(report),
            f"draws of every chain in order: {', '.join(learned.chains)}",
        )
        drawn["ranks"] = (
            model_internals_plots.ranks_plot(report),
            f"ranks of every chain's draws: {', '.join(learned.chains)}",
        )
    return drawn


def _interval(m: Measure) -> str:
    return "" if m.low is None else m.interval()


def _confusion(report: Report) -> str:
    at, (no, yes) = report.operating, report.answers
    return (
        f"of {at.true_yes + at.false_no:,} {yes} rows {at.true_yes:,} are answered {yes}, "
        f"of {at.true_no + at.false_yes:,} {no} rows {at.true_no:,} are answered {no}"
    )


def _importance_method(importance: pd.DataFrame | None) -> str:
    if importance is None or importance.empty:
        return ""
    if importance["method"].iloc[0] == "mean |SHAP|":
        return "Mean change of an answer's log-odds by each input (mean |SHAP|), with its 95 % interval."
    if importance["method"].iloc[0].startswith("change"):
        return "Change of an answer's log-odds when the word is left out, over all rows, with its 95 % interval."
    return "Rise of the log-loss in nats when the column is shuffled, with its 95 % interval."

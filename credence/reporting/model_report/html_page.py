"""The report as one HTML page that needs nothing else: no network, no script, figures inside."""

from pathlib import Path
from typing import Any

import pandas as pd
import yaml
from markupsafe import Markup
from matplotlib.figure import Figure

from credence.data.checks import Findings
from credence.evaluation.gate.verdict import Verdict
from credence.reporting import plot_style
from credence.reporting.html import environment
from credence.reporting.measure import (
    TITLES,  # fmt: skip
    Measure,
)
from credence.reporting.model_report import Report, model_internals_plots, plots
from credence.reporting.model_report.sentences import (
    calibrated,
    coded,
    costly,
    doubted,
    guarded,
    headline,
    missing,
    recalibrated,
    spent,
)
from credence.reporting.model_report.shift_evaluation import DOUBTS
from credence.reporting.number_format import number, percent
from credence.statistics.metrics import METRICS

TEMPLATES = Path(__file__).parent / "templates"

Lines = list[tuple[str, Measure]]


def render(
    report: Report, verdict: Verdict, findings: Findings, task: dict[str, Any], importance: pd.DataFrame | None = None
) -> str:
    """The whole page. `task` is shown as YAML; `importance` is what `explain.importance` found."""
    return environment(TEMPLATES).get_template("report.html.j2").render(
        report=report, verdict=verdict, findings=findings, figures=figures(report, importance), tiles=tiles(report),
        headline=headline(verdict), calibrated=calibrated(report), doubt=doubted(report), metrics=METRICS,
        recalibrated=recalibrated(report), seen=spent(verdict), titles=TITLES,
        metric=METRICS[report.metric].title, tables=tables(report), importance_how=_how(importance),
        missing=missing(findings), coded=coded(report), guarded=guarded(report), costly=costly(report), doubts=DOUBTS,
        task=yaml.safe_dump(task, sort_keys=False, allow_unicode=True),
    )  # fmt: skip


def tiles(report: Report) -> list[tuple[str, str, str]]:
    """The key figures: what, how much, and what to compare it with."""
    metric, auroc, loss = (report.scores[m] for m in (report.metric, "auroc", "log_loss"))
    ece, chance, held = report.calibration.errors["ece"], report.calibration.chance.high, report.conformal.table[0]
    constant = next(c.scores["log_loss"].value for c in report.candidates if c.role == "constant")
    first = (
        [] if report.metric in ("auroc", "log_loss", "ece") else [(METRICS[report.metric].title, metric.value, metric)]
    )
    shown = [(title, number(value), _range(m)) for title, value, m in [*first, ("AUROC", auroc.value, auroc)]]
    return [
        *shown,
        ("log-loss", number(loss.value), f"{number(constant)} for the share of {report.answers[1]} alone"),
        ("calibration error", number(ece.value), f"up to {number(chance)} by chance"),
        ("sets hold the truth", percent(held.share), f"{percent(report.conformal.promised, 2)} promised"),
        ("test rows", number(report.rows), f"{percent(report.yes / report.rows)} {report.answers[1]}"),
    ]


def tables(report: Report) -> dict[str, Lines]:
    """The measures of each section under the titles that people read."""
    calibration = report.calibration
    found = {"rates": report.operating.rates, "calibration": calibration.errors, "brier": calibration.brier_parts}
    titled = {name: [(TITLES[k], m) for k, m in lines.items()] for name, lines in found.items()}
    order = {} if report.order is None else {"order": [(TITLES[k], m) for k, m in report.order.measured().items()]}
    return titled | order | {"scores": [(METRICS[k].title, m) for k, m in report.scores.items()]}


def figures(report: Report, importance: pd.DataFrame | None) -> dict[str, Markup]:
    """Every figure that this report has something to show in, as inline SVG with alt text."""
    metric, auprc = METRICS[report.metric].title, number(report.scores["auprc"].value)
    drawn: dict[str, tuple[Figure, str]] = {
        "candidates": (plots.candidates(report), f"{metric} of every candidate with its 95 % interval"),
        "roc": (plots.roc(report), f"ROC curve, area {number(report.scores['auroc'].value)}"),
        "precision_recall": (plots.precision_recall(report), f"precision by recall, area {auprc}"),
        "histogram": (plots.histogram(report), "histogram of the probabilities of either answer's rows"),
        "reliability": (plots.reliability(report), f"reliability diagram. {calibrated(report)}"),
        "confusion": (plots.confusion(report), _confusion(report)),
        "risk_coverage": (plots.risk_coverage(report), "share of errors among the rows answered, most certain first"),
        "review": (plots.review(report), "accuracy by the share of rows that a person answers"),
        "net_benefit": (plots.net_benefit(report), "net benefit by threshold, against acting always and never"),
    }  # fmt: skip
    drawn |= _behind(report)
    if report.groups:
        drawn["groups"] = (plots.groups(report), f"{metric} in every group with its 95 % interval")
    if importance is not None and len(importance) > 1:
        drawn["importance"] = (plots.importance(importance), f"what matters most, {importance['column'].iloc[0]} first")
    return {name: Markup(plot_style.svg(figure, name, alt)) for name, (figure, alt) in drawn.items()}  # nosec B704: own SVG


def _behind(report: Report) -> dict[str, tuple[Figure, str]]:
    """The figures of what some kinds alone can tell."""
    learned, drawn = report.learned, {}
    if report.curves.parts:
        drawn["parts"] = (
            model_internals_plots.parts(report),
            "doubt of each answer, in the row against between the draws",
        )
    if report.evidence is not None:
        drawn["evidence"] = (
            model_internals_plots.evidence(report),
            "histogram of the evidence behind right and behind wrong answers",
        )
    if any(map(len, learned.curves.values())):
        drawn["learning"] = (
            model_internals_plots.learning(report),
            f"curves of learning by epoch: {', '.join(learned.curves)}",
        )
    if learned.chains:
        drawn["traces"] = (
            model_internals_plots.traces(report),
            f"draws of every chain in order: {', '.join(learned.chains)}",
        )
        drawn["ranks"] = (
            model_internals_plots.rank_bars(report),
            f"ranks of every chain's draws: {', '.join(learned.chains)}",
        )
    return drawn


def _range(m: Measure) -> str:
    return "" if m.low is None else m.ends()


def _confusion(report: Report) -> str:
    at, (no, yes) = report.operating, report.answers
    return (
        f"of {at.true_yes + at.false_no:,} {yes} rows {at.true_yes:,} are answered {yes}, "
        f"of {at.true_no + at.false_yes:,} {no} rows {at.true_no:,} are answered {no}"
    )


def _how(importance: pd.DataFrame | None) -> str:
    if importance is None or importance.empty:
        return ""
    if importance["method"].iloc[0] == "mean |SHAP|":
        return "By how much each one moves the log-odds of an answer on average (mean |SHAP|), with its 95 % interval."
    if importance["method"].iloc[0].startswith("change"):
        return (
            "By how much leaving the word out changes the log-odds of an answer, over all rows, with its 95 % interval."
        )
    return "By how many nats log-loss rises when the column is shuffled, with its 95 % interval."

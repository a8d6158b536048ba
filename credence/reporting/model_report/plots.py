"""Figures of the report, each drawn from a report alone."""

import matplotlib
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from credence.reporting.measure import Measure
from credence.reporting.model_report.report import Report
from credence.reporting.model_report.shift_evaluation import UNCERTAINTY_SCORES
from credence.reporting.number_format import format_number, format_percent
from credence.reporting.plot_style import (
    COLOR_BAND,
    COLOR_MARK,
    COLOR_MUTED,
    COLOR_NO,
    COLOR_PAPER,
    COLOR_TEXT,
    COLOR_YES,
    DASHED,
    STYLE,
    new_axes,
    reliability_axes,
    truncate,
)
from credence.statistics.metrics import METRICS

STYLED = matplotlib.rc_context(STYLE)
MAX_BARS = 15
NOTE = {"facecolor": COLOR_PAPER, "edgecolor": "none", "alpha": 0.8, "pad": 2}
COLORS = {"total": COLOR_YES, "epistemic": COLOR_MARK, "density": COLOR_NO}


@STYLED
def roc_plot(report: Report) -> Figure:
    """ROC curve with the operating point."""
    figure, axes = _square(
        f"{truncate(report.answers[0], 20)} rows answered {truncate(report.answers[1], 20)}",
        f"{truncate(report.answers[1])} rows found",
    )
    axes.plot([0, 1], [0, 1], color=COLOR_MUTED, lw=1, ls=DASHED)
    axes.fill_between(*report.curves.roc, color=COLOR_BAND, alpha=0.35, lw=0)
    axes.plot(*report.curves.roc, color=COLOR_YES)
    at = report.operating
    axes.plot(_share(at.false_yes, at.true_no), _share(at.true_yes, at.false_no), "o", color=COLOR_TEXT, ms=6, zorder=5)
    _note(
        axes, f"AUROC {report.scores['auroc'].text()}\n● threshold {format_number(at.threshold)}", 0.97, 0.06, "right"
    )
    return figure


@STYLED
def precision_recall_plot(report: Report) -> Figure:
    """Precision-recall curve with the operating point."""
    figure, axes = _square(
        f"{truncate(report.answers[1])} rows found (recall)",
        f"{truncate(report.answers[1], 20)} answers that are right (precision)",
    )
    share, at = report.yes / report.rows, report.operating
    axes.axhline(share, color=COLOR_MUTED, lw=1, ls=DASHED)
    axes.plot(*report.curves.precision_recall, color=COLOR_YES)
    if at.true_yes + at.false_yes:
        axes.plot(
            _share(at.true_yes, at.false_no), _share(at.true_yes, at.false_yes), "o", color=COLOR_TEXT, ms=6, zorder=5
        )
    _note(axes, f"AUPRC {report.scores['auprc'].text()}\nby chance {format_number(share)}", 0.03, 0.06, "left")
    return figure


@STYLED
def reliability_plot(report: Report) -> Figure:
    """Reliability diagram with the chance bands of a perfectly calibrated predictor."""
    figure, axes = reliability_axes(report.calibration.table)
    ece, chance = report.calibration.errors["ece"], report.calibration.chance
    _note(axes, f"ECE {format_number(ece.value)}\nby chance up to {format_number(chance.high)}", 0.97, 0.06, "right")
    return figure


@STYLED
def histogram_plot(report: Report) -> Figure:
    """Histograms of the probabilities, one for the rows of each label."""
    figure, axes = new_axes(f"probability of {truncate(report.answers[1])}", "share of that answer's rows")
    for counts, colour, name in zip(report.curves.histogram, (COLOR_NO, COLOR_YES), report.answers, strict=True):
        width, total = 1 / len(counts), max(sum(counts), 1)
        across = [(i + 0.5) * width for i in range(len(counts))]
        heights = [c / total for c in counts]
        axes.bar(across, heights, width=width * 0.92, color=colour, alpha=0.6, lw=0, label=f"truly {name}")
    axes.axvline(report.operating.threshold, color=COLOR_TEXT, lw=1, ls=DASHED)
    axes.set_xlim(0, 1)
    axes.legend(loc="upper center", ncols=2, bbox_to_anchor=(0.5, 1.12))
    return figure


@STYLED
def risk_coverage_plot(report: Report) -> Figure:
    """Share of errors among the answered rows by the share of rows answered, most certain first."""
    figure, axes = new_axes("rows answered, most certain first", "errors among them")
    for by, (coverage, risk) in report.curves.risk.items():
        axes.plot(coverage, risk, color=COLORS[by], label=UNCERTAINTY_SCORES[by])
    wrong = (report.operating.false_yes + report.operating.false_no) / report.rows
    axes.axhline(wrong, color=COLOR_MUTED, lw=1, ls=DASHED, label="no selection")
    axes.set_xlim(0, 1.01)
    axes.set_ylim(0, None if wrong else 0.05)
    axes.legend(loc="upper center", ncols=2, bbox_to_anchor=(0.5, 1.19 if len(report.curves.risk) < 3 else 1.21))
    return figure


@STYLED
def review_plot(report: Report) -> Figure:
    """Accuracy by the share of rows that a person answers correctly, least certain first."""
    figure, axes = new_axes("rows that a person answers, least certain first", "accuracy of all answers")
    for by, (coverage, risk) in report.curves.risk.items():
        accuracy = [1 - r * c for c, r in zip(coverage, risk, strict=True)]
        axes.plot([1 - c for c in coverage], accuracy, color=COLORS[by], label=UNCERTAINTY_SCORES[by])
    wrong = report.operating.false_yes + report.operating.false_no
    axes.plot([0, 1], [1 - wrong / report.rows, 1], color=COLOR_MUTED, lw=1, ls=DASHED, label="at random")
    axes.set(xlim=(0, 0.5), ylim=(1 - 1.15 * max(wrong / report.rows, 0.01), 1 + 0.05 * max(wrong / report.rows, 0.01)))
    axes.legend(loc="lower right")
    return figure


@STYLED
def net_benefit_plot(report: Report) -> Figure:
    """Decision curve: net benefit of the answers by threshold, against acting always and never."""
    figure, axes = new_axes("threshold", "net benefit per row")
    thresholds, gain, always = report.curves.net_benefit
    axes.plot(thresholds, always, color=COLOR_NO, lw=1.3, label="act always")
    axes.axhline(0, color=COLOR_MUTED, lw=1.3, label="act never")
    axes.plot(thresholds, gain, color=COLOR_YES, label="act on the answers")
    top = max(max(gain), 0.01)
    axes.set_xlim(0, 1)
    axes.set_ylim(-0.15 * top, 1.1 * top)
    axes.legend(loc="upper right")
    return figure


@STYLED
def confusion_plot(report: Report) -> Figure:
    """Confusion matrix at the threshold."""
    figure, axes = new_axes("answered", "truly")
    at = report.operating
    for row, cells in enumerate([[at.true_no, at.false_yes], [at.false_no, at.true_yes]]):
        for column, n in enumerate(cells):
            share, colour = _share(n, sum(cells) - n), COLOR_YES if row == column else COLOR_NO
            axes.add_patch(
                Rectangle((column + 0.02, row + 0.02), 0.96, 0.96, color=colour, alpha=0.1 + 0.5 * share, lw=0)
            )
            axes.text(column + 0.5, row + 0.45, f"{n:,}", ha="center", va="center", fontsize=17, fontweight="bold")
            axes.text(column + 0.5, row + 0.68, format_percent(share), ha="center", va="center")
    axes.set(xlim=(0, 2), ylim=(2, 0))
    axes.set_xticks((0.5, 1.5), [truncate(a, 18) for a in report.answers])
    axes.set_yticks((0.5, 1.5), [truncate(a, 18) for a in report.answers], rotation=90, va="center")
    axes.grid(False)
    axes.spines[:].set_visible(False)
    return figure


@STYLED
def candidates_plot(report: Report) -> Figure:
    """The metric of every candidate with its interval; the winner is highlighted."""
    title = METRICS[report.metric].title
    lines = [
        (c.title if c.role in ("winner", "candidate") else f"{c.title} ({c.role})", c.scores[report.metric])
        for c in report.candidates
    ]
    colours = [
        {"winner": COLOR_YES, "constant": COLOR_MUTED, "champion": COLOR_MARK}.get(c.role, COLOR_TEXT)
        for c in report.candidates
    ]
    return _dot_plot(lines, colours, title)


@STYLED
def groups_plot(report: Report) -> Figure:
    """The metric of every group with its interval, and of all rows as a line; groups with few rows are gray."""
    shown = report.groups[:MAX_BARS]
    lines = [(f"{truncate(g.name)}  ({g.rows:,})", g.scores[report.metric]) for g in shown]
    figure = _dot_plot(lines, [COLOR_MUTED if g.few else COLOR_YES for g in shown], METRICS[report.metric].title)
    whole = report.scores[report.metric].value
    if whole is not None:
        figure.axes[0].axvline(whole, color=COLOR_MUTED, lw=1, ls=DASHED)
    return figure


@STYLED
def importance_plot(found: pd.DataFrame) -> Figure:
    """The most important columns or words with their intervals, from the table of `explain.importance`."""
    shown = found.head(MAX_BARS)[::-1]
    figure, axes = _horizontal_axes(len(shown), str(found["method"].iloc[0]))
    colours = [{1: COLOR_YES, -1: COLOR_NO}.get(d, COLOR_MUTED) for d in shown["direction"]]
    axes.barh(range(len(shown)), shown["value"], color=colours, alpha=0.8, height=0.62, lw=0)
    axes.hlines(range(len(shown)), shown["low"], shown["high"], color=COLOR_TEXT, lw=1.2)
    _label_lines(axes, [truncate(c) for c in shown["column"]])
    return figure


def _dot_plot(lines: list[tuple[str, Measure]], colours: list[str], label: str) -> Figure:
    figure, axes = _horizontal_axes(len(lines), label)
    for place, ((_, m), colour) in enumerate(zip(lines[::-1], colours[::-1], strict=True)):
        if m.value is None:
            continue
        if m.low is not None and m.high is not None:
            axes.plot([m.low, m.high], [place, place], color=colour, lw=2, solid_capstyle="round")
        axes.plot(m.value, place, "o", color=colour, ms=7, mec=COLOR_PAPER, mew=1)
        axes.annotate(
            format_number(m.value), (m.value, place), (0, 7), textcoords="offset points", ha="center", fontsize=8
        )
    _label_lines(axes, [name for name, _ in lines[::-1]])
    return figure


def _label_lines(axes: Axes, names: list[str]) -> None:
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(-0.6, len(names) - 0.3)
    axes.tick_params(axis="y", colors=COLOR_TEXT)
    axes.grid(False, axis="y")


def _horizontal_axes(lines: int, label: str) -> tuple[Figure, Axes]:
    return new_axes(label, "", (6.4, 0.75 + 0.34 * lines))


def _square(across: str, up: str) -> tuple[Figure, Axes]:
    figure, axes = new_axes(across, up)
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.02), aspect="equal")
    return figure, axes


def _note(axes: Axes, text: str, x: float, y: float, side: str) -> None:
    axes.text(x, y, text, transform=axes.transAxes, ha=side, va="bottom", color=COLOR_TEXT, linespacing=1.5, bbox=NOTE)


def _share(part: int, rest: int) -> float:
    return part / max(part + rest, 1)

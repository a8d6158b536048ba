"""Figures of the generation report."""

from collections.abc import Sequence

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from credence.generation.quality.costs import LatencyBucket
from credence.generation.quality.item_outcomes import CellCounts, ModelCounts
from credence.generation.quality.shortcut_test import ShortcutResult
from credence.reporting.number_format import format_number, format_percent
from credence.reporting.plot_style import (
    COLOR_BAND,
    COLOR_MUTED,
    COLOR_NO,
    COLOR_PAPER,
    COLOR_TEXT,
    COLOR_YES,
    DASHED,
    STYLE,
    new_axes,
    truncate,
)
from credence.reporting.proportion import Proportion

STYLED = matplotlib.rc_context(STYLE)
MAX_LINES = 24
MIN_PERCENT = 1.0
WIDE = (7.0, 2.8)


@STYLED
def category_plot(cells: Sequence[CellCounts]) -> Figure:
    """Plot rows and quota by category and label; of more than 24, those furthest from their quota."""
    shown = sorted(sorted(cells, key=lambda c: -abs(c.departure))[:MAX_LINES], key=lambda c: (c.category, c.label))
    figure, axes = _horizontal_axes(
        [f"{plain_figure(c.category, 24)} · {plain_figure(c.label, 16)}" for c in shown], "rows"
    )
    for place, cell in enumerate(shown):
        axes.barh(place, cell.quota, height=0.62, color=COLOR_BAND, lw=0)
        axes.barh(place, cell.committed, height=0.62, color=COLOR_YES if not cell.departure else COLOR_NO, lw=0)
        axes.annotate(
            format_number(cell.committed),
            (max(cell.committed, cell.quota), place),
            (4, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
        )
    return figure


@STYLED
def error_plot(authors: Sequence[ModelCounts], name: str) -> Figure:
    """Plot each model's share of errors with its 95 % interval, the highest on top."""
    shown = sorted(authors, key=lambda a: -(a.errors.value or 0))[:MAX_LINES]
    figure, axes = _horizontal_axes([f"{plain_figure(a.model)}  ({a.errors.of:,})" for a in shown], f"{name}, %")
    for place, author in enumerate(shown):
        _dot(axes, place, author.errors)
    axes.set_xlim(0, max(MIN_PERCENT, *(105 * (a.errors.high or 0) for a in shown)))
    return figure


@STYLED
def label_leakage_plot(tested: Sequence[ShortcutResult]) -> Figure:
    """Plot the accuracy of the shortcut test by category with its interval, and the permitted accuracy."""
    shown = sorted(tested, key=lambda s: -s.accuracy)[:MAX_LINES]
    figure, axes = _horizontal_axes(
        [f"{plain_figure(s.category)}  ({s.rows:,})" for s in shown], "labels told by words and digits, %"
    )
    axes.axvline(50, color=COLOR_MUTED, lw=1, ls=DASHED)
    for place, s in enumerate(shown):
        colour = COLOR_NO if s.flagged else COLOR_YES
        axes.plot([100 * s.low, 100 * s.high], [place, place], color=colour, lw=2, solid_capstyle="round")
        axes.plot(100 * s.accuracy, place, "o", color=colour, ms=7, mec=COLOR_PAPER, mew=1, clip_on=False)
        if s.permitted < 1:
            axes.plot([100 * s.permitted] * 2, [place - 0.34, place + 0.34], color=COLOR_TEXT, lw=2)
    axes.set_xlim(0, 100)
    return figure


@STYLED
def latency_plot(buckets: Sequence[LatencyBucket]) -> Figure:
    """Plot the number of calls by latency."""
    figure, axes = new_axes("seconds, up to", "calls", WIDE)
    ends = [f"{b.up_to:g}" if b.up_to is not None else "longer" for b in buckets]
    axes.bar(range(len(buckets)), [b.calls for b in buckets], width=0.86, color=COLOR_YES, alpha=0.8, lw=0)
    axes.set_xticks(range(len(buckets)), ends)
    axes.yaxis.set_major_locator(MaxNLocator("auto", integer=True))
    axes.grid(False, axis="x")
    return figure


def plain_figure(name: str, most: int = 32) -> str:
    """Shorten an external name and replace unprintable characters by spaces."""
    return truncate("".join(sign if sign.isprintable() else " " for sign in name), most)


def _dot(axes: Axes, place: int, found: Proportion) -> None:
    if found.value is None or found.low is None or found.high is None:
        return
    axes.plot([100 * found.low, 100 * found.high], [place, place], color=COLOR_YES, lw=2, solid_capstyle="round")
    axes.plot(100 * found.value, place, "o", color=COLOR_YES, ms=7, mec=COLOR_PAPER, mew=1, clip_on=False)
    axes.annotate(
        format_percent(found.value),
        (100 * found.value, place),
        (0, 7),
        textcoords="offset points",
        ha="center",
        fontsize=8,
    )


def _horizontal_axes(names: Sequence[str], x_label: str) -> tuple[Figure, Axes]:
    """Create axes with one named line per row, the first on top."""
    figure, axes = new_axes(x_label, "", (6.4, 0.75 + 0.34 * len(names)))
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.3, -0.7)
    axes.tick_params(axis="y", colors=COLOR_TEXT, pad=7)
    axes.grid(False, axis="y")
    return figure, axes

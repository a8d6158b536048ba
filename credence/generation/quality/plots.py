"""The figures of a generated data set's page."""

from collections.abc import Sequence

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from credence.generation.quality.costs import Bucket
from credence.generation.quality.item_outcomes import Author, Cell
from credence.generation.quality.shortcut_test import Shortcut
from credence.reporting.number_format import number, percent
from credence.reporting.plot_style import BAND, DASHED, INK, MUTED, NO, PAPER, STYLE, YES, axes_of, short
from credence.reporting.proportion import Share

STYLED = matplotlib.rc_context(STYLE)
MOST_LINES = 24
LEAST_PERCENT = 1.0
WIDE = (7.0, 2.8)


@STYLED
def places(cells: Sequence[Cell]) -> Figure:
    """Rows of every category and label within their quota; where there are many, those furthest from theirs."""
    shown = sorted(sorted(cells, key=lambda c: -abs(c.departure))[:MOST_LINES], key=lambda c: (c.category, c.label))
    figure, axes = _lying([f"{plain(c.category, 24)} · {plain(c.label, 16)}" for c in shown], "rows")
    for place, cell in enumerate(shown):
        axes.barh(place, cell.quota, height=0.62, color=BAND, lw=0)
        axes.barh(place, cell.committed, height=0.62, color=YES if not cell.departure else NO, lw=0)
        axes.annotate(number(cell.committed), (max(cell.committed, cell.quota), place), (4, 0),
                      textcoords="offset points", va="center", fontsize=8)  # fmt: skip
    return figure


@STYLED
def errors(authors: Sequence[Author], name: str) -> Figure:
    """Every model's share of errors with its interval, the highest on top."""
    shown = sorted(authors, key=lambda a: -(a.errors.value or 0))[:MOST_LINES]
    figure, axes = _lying([f"{plain(a.model)}  ({a.errors.of:,})" for a in shown], f"{name}, %")
    for place, author in enumerate(shown):
        _dot(axes, place, author.errors)
    axes.set_xlim(0, max(LEAST_PERCENT, *(105 * (a.errors.high or 0) for a in shown)))
    return figure


@STYLED
def giveaways(tested: Sequence[Shortcut]) -> Figure:
    """What a reader of words gets right in every category with its interval, and what it may."""
    shown = sorted(tested, key=lambda s: -s.accuracy)[:MOST_LINES]
    figure, axes = _lying([f"{plain(s.category)}  ({s.rows:,})" for s in shown], "labels told by words and digits, %")
    axes.axvline(50, color=MUTED, lw=1, ls=DASHED)
    for place, s in enumerate(shown):
        colour = NO if s.flagged else YES
        axes.plot([100 * s.low, 100 * s.high], [place, place], color=colour, lw=2, solid_capstyle="round")
        axes.plot(100 * s.accuracy, place, "o", color=colour, ms=7, mec=PAPER, mew=1, clip_on=False)
        if s.permitted < 1:
            axes.plot([100 * s.permitted] * 2, [place - 0.34, place + 0.34], color=INK, lw=2)
    axes.set_xlim(0, 100)
    return figure


@STYLED
def latency(buckets: Sequence[Bucket]) -> Figure:
    """How many calls took how long."""
    figure, axes = axes_of("seconds, up to", "calls", WIDE)
    ends = [f"{b.up_to:g}" if b.up_to is not None else "longer" for b in buckets]
    axes.bar(range(len(buckets)), [b.calls for b in buckets], width=0.86, color=YES, alpha=0.8, lw=0)
    axes.set_xticks(range(len(buckets)), ends)
    axes.yaxis.set_major_locator(MaxNLocator("auto", integer=True))
    axes.grid(False, axis="x")
    return figure


def plain(name: str, most: int = 32) -> str:
    """A name of others, cut off where it is long, without signs that cannot be printed."""
    return short("".join(sign if sign.isprintable() else " " for sign in name), most)


def _dot(axes: Axes, place: int, found: Share) -> None:
    if found.value is None or found.low is None or found.high is None:
        return
    axes.plot([100 * found.low, 100 * found.high], [place, place], color=YES, lw=2, solid_capstyle="round")
    axes.plot(100 * found.value, place, "o", color=YES, ms=7, mec=PAPER, mew=1, clip_on=False)
    axes.annotate(percent(found.value), (100 * found.value, place), (0, 7), textcoords="offset points",
                  ha="center", fontsize=8)  # fmt: skip


def _lying(names: Sequence[str], across: str) -> tuple[Figure, Axes]:
    """Lines with the first one on top."""
    figure, axes = axes_of(across, "", (6.4, 0.75 + 0.34 * len(names)))
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.3, -0.7)
    axes.tick_params(axis="y", colors=INK, pad=7)
    axes.grid(False, axis="y")
    return figure, axes

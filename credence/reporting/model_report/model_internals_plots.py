"""The figures that look behind the answers: parts of doubt, evidence, learning curves, chains; from a report alone."""

from collections.abc import Callable

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullFormatter

from credence.reporting.model_report.model_internals import chain_ranks
from credence.reporting.model_report.report import Report
from credence.reporting.number_format import format_number
from credence.reporting.plot_style import (
    COLOR_BAND,
    COLOR_MARK,
    COLOR_MUTED,
    COLOR_NO,
    COLOR_TEXT,
    COLOR_YES,
    DASHED,
    STYLE,
    new_axes,
    truncate,
)
from credence.statistics.uncertainty import Array

STYLED = matplotlib.rc_context(STYLE)
ANSWERS = {"right": (COLOR_YES, "o", "answered right"), "wrong": (COLOR_NO, "D", "answered wrong")}
CHAINS = (COLOR_YES, COLOR_NO, COLOR_MARK, COLOR_MUTED, COLOR_TEXT, COLOR_BAND)


@STYLED
def training_figures(report: Report) -> Figure:
    """What of each answer's doubt lies in the row and what in the draws, for right and for wrong answers."""
    figure, axes = new_axes("in the row (aleatoric), bits", "between draws (epistemic), bits")
    for name, (across, up) in report.curves.parts.items():
        colour, shape, label = ANSWERS[name]
        axes.plot(across, up, shape, color=colour, ms=3.5, alpha=0.55, mew=0, label=label)
    axes.set(xlim=(-0.01, 1.01), ylim=(0, None))
    axes.legend(loc="upper center", ncols=2, bbox_to_anchor=(0.5, 1.12))
    return figure


@STYLED
def evidence_plot(report: Report) -> Figure:
    """How many rows of training stand behind right and behind wrong answers."""
    figure, axes = new_axes("evidence behind the answer (alpha + beta), rows", "share of these answers")
    found = report.evidence
    assert found is not None
    edges = 10 ** np.array(found.edges)
    for counts, name in ((found.right, "right"), (found.wrong, "wrong")):
        if sum(counts):
            colour, _, label = ANSWERS[name]
            axes.stairs(np.array(counts) / sum(counts), edges, fill=True, color=colour, alpha=0.55, lw=0, label=label)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(lambda value, _: format_number(value, 1))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.legend(loc="upper center", ncols=2, bbox_to_anchor=(0.5, 1.12))
    return figure


@STYLED
def learning_curves(report: Report) -> Figure:
    """Every curve of learning by epoch; losses share their axes, all else has its own."""
    curves = report.learned.curves
    losses = {name: c for name, c in curves.items() if "loss" in name}
    panels = [p for p in (losses, *({n: c} for n, c in curves.items() if n not in losses)) if p]
    figure, places = _stacked(len(panels), 2.6)
    for axes, panel in zip(places, panels, strict=True):
        for (name, curve), colour in zip(panel.items(), CHAINS, strict=False):
            axes.plot(range(1, len(curve) + 1), curve, color=colour, label=truncate(name), marker="o", ms=2.5)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.legend(loc="best")
    places[-1].set_xlabel("epoch")
    return figure


@STYLED
def trace_plot(report: Report) -> Figure:
    """The draws of every chain in their order; chains that mixed look like one."""

    def draw(axes: Axes, draws: Array) -> None:
        for i, chain in enumerate(draws):
            axes.plot(chain, color=CHAINS[i % len(CHAINS)], lw=0.7, alpha=0.8)

    return _by_parameter(report, "draw (thinned)", draw)


@STYLED
def rank_plot(report: Report) -> Figure:
    """How the ranks of every chain's draws among all draws are spread; level where the chains mixed."""

    def draw(axes: Axes, draws: Array) -> None:
        counts = chain_ranks(draws)
        axes.axhline(counts.mean(), color=COLOR_MUTED, lw=1, ls=DASHED)
        for i, chain in enumerate(counts):
            axes.stairs(chain, np.linspace(0, 1, len(chain) + 1), color=CHAINS[i % len(CHAINS)], lw=1.3)
        axes.set(ylim=(0, None), xlim=(0, 1))

    return _by_parameter(report, "rank among all draws", draw)


def _by_parameter(report: Report, across: str, draw: Callable[[Axes, Array], None]) -> Figure:
    """A panel for each parameter's draws, shape (chains, draws)."""
    chains = report.learned.chains
    figure, places = _stacked(len(chains), 1.15)
    for axes, (name, draws) in zip(places, chains.items(), strict=True):
        draw(axes, np.array(draws))
        axes.set_ylabel(truncate(name, 18), rotation=0, ha="right", va="center", color=COLOR_TEXT)
    places[-1].set_xlabel(across)
    return figure


def _stacked(panels: int, height: float) -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=(5.6, 0.6 + height * panels), layout="constrained")
    places = [figure.add_subplot(panels, 1, i + 1) for i in range(panels)]
    for axes in places[:-1]:
        axes.tick_params(labelbottom=False)
    return figure, places

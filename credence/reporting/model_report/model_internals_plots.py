"""Figures of the model itself, drawn from a report: parts of uncertainty, evidence, learning curves, chains."""

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
ANSWERS = {"right": (COLOR_YES, "o", "correct answers"), "wrong": (COLOR_NO, "D", "wrong answers")}
CHAINS = (COLOR_YES, COLOR_NO, COLOR_MARK, COLOR_MUTED, COLOR_TEXT, COLOR_BAND)


@STYLED
def parts_plot(report: Report) -> Figure:
    """Aleatoric against epistemic uncertainty of each answer, for correct and wrong answers."""
    figure, axes = new_axes("aleatoric uncertainty, bits", "epistemic uncertainty, bits")
    for name, (across, up) in report.curves.parts.items():
        colour, shape, label = ANSWERS[name]
        axes.plot(across, up, shape, color=colour, ms=3.5, alpha=0.55, mew=0, label=label)
    axes.set(xlim=(-0.01, 1.01), ylim=(0, None))
    axes.legend(loc="upper center", ncols=2, bbox_to_anchor=(0.5, 1.12))
    return figure


@STYLED
def evidence_plot(report: Report) -> Figure:
    """Distribution of the evidence behind correct and wrong answers."""
    figure, axes = new_axes("evidence (alpha + beta), rows", "share of these answers")
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
def learning_plot(report: Report) -> Figure:
    """Training curves by epoch; all losses share one panel, every other curve has its own."""
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
def traces_plot(report: Report) -> Figure:
    """Draws of every chain in order; the traces of mixed chains overlap."""

    def draw(axes: Axes, draws: Array) -> None:
        for i, chain in enumerate(draws):
            axes.plot(chain, color=CHAINS[i % len(CHAINS)], lw=0.7, alpha=0.8)

    return _by_parameter(report, "draw (thinned)", draw)


@STYLED
def ranks_plot(report: Report) -> Figure:
    """Rank histograms of every chain; level if the chains have mixed."""

    def draw(axes: Axes, draws: Array) -> None:
        counts = chain_ranks(draws)
        axes.axhline(counts.mean(), color=COLOR_MUTED, lw=1, ls=DASHED)
        for i, chain in enumerate(counts):
            axes.stairs(chain, np.linspace(0, 1, len(chain) + 1), color=CHAINS[i % len(CHAINS)], lw=1.3)
        axes.set(ylim=(0, None), xlim=(0, 1))

    return _by_parameter(report, "rank among all draws", draw)


def _by_parameter(report: Report, across: str, draw: Callable[[Axes, Array], None]) -> Figure:
    """One panel for each parameter's draws, shape (chains, draws)."""
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

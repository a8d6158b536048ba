"""Figures of the monitoring page."""

import matplotlib
from matplotlib.figure import Figure

from credence.production.monitoring.summary import OperationsSummary, PerformanceReport
from credence.reporting.plot_style import COLOR_MARK, COLOR_NO, COLOR_YES, STYLE, new_axes, reliability_axes

STYLED = matplotlib.rc_context(STYLE)
WIDE = (7.0, 2.8)
LINES = {
    "probability": (COLOR_YES, "mean probability"),
    "yes": (COLOR_MARK, "answered {yes}"),
    "abstained": (COLOR_NO, "abstained"),
}


@STYLED
def monitoring_over_time(service: OperationsSummary, yes: str) -> Figure:
    """Mean probability, share of yes and of abstentions over equal parts of the window's records."""
    figure, axes = new_axes("records, from first to last", "share", WIDE)
    for name, (colour, label) in LINES.items():
        parts = service.answers[name]
        across = [(i + 0.5) / len(parts) for i in range(len(parts))]
        axes.plot(across, parts, "o-", ms=3.5, color=colour, label=label.format(yes=yes))
    axes.set(xlim=(0, 1), ylim=(-0.02, 1.02), xticks=[])
    axes.legend(loc="upper center", ncols=3, bbox_to_anchor=(0.5, 1.2))
    return figure


@STYLED
def window_reliability(right: PerformanceReport) -> Figure:
    """Reliability diagram of the labelled rows."""
    return reliability_axes(right.table)[0]

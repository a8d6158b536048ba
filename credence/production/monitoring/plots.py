"""The figures of the monitoring page."""

import matplotlib
from matplotlib.figure import Figure

from credence.production.monitoring.summary import OperationsSummary, PerformanceReport
from credence.reporting.plot_style import (
    COLOR_BAND,
    COLOR_MARK,
    COLOR_MUTED,
    COLOR_NO,
    COLOR_PAPER,
    COLOR_YES,
    DASHED,
    STYLE,
    new_axes,
)

STYLED = matplotlib.rc_context(STYLE)
WIDE = (7.0, 2.8)
LINES = {
    "probability": (COLOR_YES, "mean probability"),
    "yes": (COLOR_MARK, "answered {yes}"),
    "abstained": (COLOR_NO, "abstained"),
}


@STYLED
def monitoring_over_time(service: OperationsSummary, yes: str) -> Figure:
    """Mean probability, answers and abstentions over equal parts of the window's records."""
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
    """What came true against what was said, with what chance allows a perfectly calibrated predictor."""
    figure, axes = new_axes("probability said", "share that came true")
    axes.plot([0, 1], [0, 1], color=COLOR_MUTED, lw=1, ls=DASHED)
    most = max(b.rows for b in right.table)
    for b in right.table:
        axes.plot([b.predicted] * 2, [b.chance_low, b.chance_high], color=COLOR_BAND, lw=7, solid_capstyle="butt")
    for b in right.table:
        inside = b.chance_low <= b.observed <= b.chance_high
        size = 4 + 7 * (b.rows / most) ** 0.5
        axes.plot(
            b.predicted, b.observed, "o", ms=size, color=COLOR_YES if inside else COLOR_NO, mec=COLOR_PAPER, mew=0.8
        )
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    return figure

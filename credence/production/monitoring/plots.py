"""The figures of the monitoring page."""

import matplotlib
from matplotlib.figure import Figure

from credence.production.monitoring.summary import Labelled, Operations
from credence.reporting.plot_style import BAND, DASHED, MARK, MUTED, NO, PAPER, STYLE, YES, axes_of

STYLED = matplotlib.rc_context(STYLE)
WIDE = (7.0, 2.8)
LINES = {
    "probability": (YES, "mean probability"), "yes": (MARK, "answered {yes}"), "abstained": (NO, "abstained"),
}  # fmt: skip


@STYLED
def over_time(service: Operations, yes: str) -> Figure:
    """Mean probability, answers and abstentions over equal parts of the window's records."""
    figure, axes = axes_of("records, from first to last", "share", WIDE)
    for name, (colour, label) in LINES.items():
        parts = service.answers[name]
        across = [(i + 0.5) / len(parts) for i in range(len(parts))]
        axes.plot(across, parts, "o-", ms=3.5, color=colour, label=label.format(yes=yes))
    axes.set(xlim=(0, 1), ylim=(-0.02, 1.02), xticks=[])
    axes.legend(loc="upper center", ncols=3, bbox_to_anchor=(0.5, 1.2))
    return figure


@STYLED
def reliability(right: Labelled) -> Figure:
    """What came true against what was said, with what chance allows a perfectly calibrated predictor."""
    figure, axes = axes_of("probability said", "share that came true")
    axes.plot([0, 1], [0, 1], color=MUTED, lw=1, ls=DASHED)
    most = max(b.rows for b in right.table)
    for b in right.table:
        axes.plot([b.predicted] * 2, [b.chance_low, b.chance_high], color=BAND, lw=7, solid_capstyle="butt")
    for b in right.table:
        inside = b.chance_low <= b.observed <= b.chance_high
        size = 4 + 7 * (b.rows / most) ** 0.5
        axes.plot(b.predicted, b.observed, "o", ms=size, color=YES if inside else NO, mec=PAPER, mew=0.8)
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    return figure

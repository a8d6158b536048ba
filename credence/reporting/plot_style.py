"""Plot style; export to SVG (inherits the page's colors) or PNG."""

import html
import io
import re
from collections.abc import Sequence
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from credence.statistics.reliability import ReliabilityBin

COLOR_TEXT, COLOR_MUTED, COLOR_GRID, COLOR_PAPER = "#1c2530", "#66717e", "#dfe4ea", "#fffffe"
COLOR_YES, COLOR_NO, COLOR_MARK, COLOR_BAND = "#2563c9", "#d9822b", "#0f7b6c", "#c9d7ee"
VARIABLES = {
    COLOR_TEXT: "ink",
    COLOR_MUTED: "muted",
    COLOR_GRID: "grid",
    COLOR_PAPER: "paper",
    COLOR_YES: "yes",
    COLOR_NO: "no",
    COLOR_MARK: "mark",
    COLOR_BAND: "band",
}
STYLE: Any = {
    "svg.fonttype": "none",
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "text.color": COLOR_TEXT,
    "axes.labelcolor": COLOR_MUTED,
    "axes.edgecolor": COLOR_GRID,
    "xtick.color": COLOR_MUTED,
    "ytick.color": COLOR_MUTED,
    "axes.grid": True,
    "grid.color": COLOR_GRID,
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "lines.linewidth": 1.8,
    "svg.hashsalt": "credence",
    "text.parse_math": False,
}
SIZE = (4.6, 3.9)
DASHED = (0, (4, 3))


def svg(figure: Figure, name: str, alt: str) -> str:
    """Render a figure as inline SVG that scales with its container and takes its colors from CSS variables.

    Args:
        figure: The figure.
        name: Prefix of its ids, which keeps them apart from those of other figures on the page.
        alt: Text for screen readers.
    """
    buffer = io.StringIO()
    with matplotlib.rc_context(STYLE):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.S)
    text = re.sub(r' id="[a-zA-Z.]+2?d?_\d+"', "", text)
    text = re.sub(r'(id="|#)([mpCh][0-9a-f]{10})', rf"\g<1>{name}-\g<2>", text)
    text = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", text, count=1)
    text = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", text, count=1)
    text = re.sub(r"'DejaVu Sans'(, [^;\"]*)?", "inherit", text)
    for colour, variable in VARIABLES.items():
        text = text.replace(colour, f"var(--{variable})")
    return text.replace("<svg", f'<svg role="img" aria-label="{html.escape(alt)}"', 1)


def png(figure: Figure, dots_per_inch: int = 150) -> bytes:
    """Render a figure as PNG on white."""
    buffer = io.BytesIO()
    with matplotlib.rc_context(STYLE):
        figure.savefig(buffer, format="png", dpi=dots_per_inch, facecolor="white")
    return buffer.getvalue()


def new_axes(across: str, up: str, size: tuple[float, float] = SIZE) -> tuple[Figure, Axes]:
    """An empty figure with labelled axes; call it inside `matplotlib.rc_context(STYLE)`."""
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.add_subplot()
    axes.set(xlabel=across, ylabel=up)
    return figure, axes


def reliability_axes(bins: Sequence[ReliabilityBin], size: tuple[float, float] = SIZE) -> tuple[Figure, Axes]:
    """Draw a reliability diagram: observed share of yes by predicted probability, with each bin's chance band.

    A dot's area grows with the rows of its bin; dots outside their 95 % chance band are orange.
    """
    figure, axes = new_axes("predicted probability", "observed share", size)
    axes.plot([0, 1], [0, 1], color=COLOR_MUTED, lw=1, ls=DASHED)
    most = max(b.rows for b in bins)
    for b in bins:
        axes.plot([b.predicted] * 2, [b.chance_low, b.chance_high], color=COLOR_BAND, lw=7, solid_capstyle="butt")
    for b in bins:
        color = COLOR_YES if b.chance_low <= b.observed <= b.chance_high else COLOR_NO
        width = 4 + 7 * (b.rows / most) ** 0.5
        axes.plot(b.predicted, b.observed, "o", ms=width, color=color, alpha=0.9, mec=COLOR_PAPER, mew=0.8)
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.02), aspect="equal")
    return figure, axes


def truncate(name: str, most: int = 32) -> str:
    """Shorten a name to `most` characters, with an ellipsis."""
    return name if len(name) <= most else f"{name[: most - 1]}…"

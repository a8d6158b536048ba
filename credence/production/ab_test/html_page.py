"""The A/B test as a page: recommendation, command, and bounds over time."""

import html

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from credence.production.ab_test import ABTestResult, IntervalEstimate, differences
from credence.reporting.number_format import format_percent, format_spread
from credence.reporting.plot_style import (
    COLOR_BAND,
    COLOR_MARK,
    COLOR_MUTED,
    COLOR_PAPER,
    COLOR_TEXT,
    COLOR_YES,
    DASHED,
    STYLE,
    new_axes,
    svg,
)
from credence.statistics.confidence_sequence import betting_wealth
from credence.statistics.uncertainty import Array

POINTS = 60
FIRST = 10
STYLED = matplotlib.rc_context(STYLE)
LOOK = f"""
:root {{ color-scheme: light dark; --ink: {COLOR_TEXT}; --muted: {COLOR_MUTED}; --grid: #dfe4ea; --paper: {COLOR_PAPER};
  --yes: {COLOR_YES}; --mark: {COLOR_MARK}; --band: {COLOR_BAND}; }}
@media (prefers-color-scheme: dark) {{ :root {{ --ink: #e4e9ef; --muted: #97a3b0; --grid: #2a333d; --paper: #171d24;
  --yes: #6fa3f5; --mark: #4cc3b0; --band: #2f4568; }} }}
body {{ max-width: 46rem; margin: 2rem auto; padding: 0 1rem; color: var(--ink); background: var(--paper);
  font: 16px/1.55 system-ui, sans-serif; }}
pre {{ white-space: pre-wrap; }} figure {{ margin: 1rem 0; }}
figcaption, th {{ color: var(--muted); font-weight: 400; }}
th {{ text-align: left; padding-right: 1.5rem; }}
"""


def ab_test_page(trial: ABTestResult, frame: pd.DataFrame) -> str:
    """A self-contained page; `frame` is the table given to `compare`."""
    title = html.escape(f"{trial.task}: champion and challenger")
    head = f'<meta charset="utf-8"><title>{title}</title><style>{LOOK}</style>'
    body = f"<h1>{title}</h1>{ab_test_section(trial, frame)}"
    return f'<!doctype html><html lang="en"><head>{head}</head><body>{body}</body></html>'


def ab_test_section(trial: ABTestResult, frame: pd.DataFrame) -> str:
    """The same as a section of a page that defines the project's CSS colors."""
    command = f"<pre>{html.escape(trial.command)}</pre>" if trial.command else ""
    return f"<p>{html.escape(trial.sentence)}</p>{command}{_table(trial)}{_figure(trial, frame)}"


def _table(trial: ABTestResult) -> str:
    lines = {"rows labelled differently": trial.disagreement, "mean difference of probability": trial.shift}
    shown = {name: _spread(bounds) for name, bounds in lines.items()}
    if trial.gain:
        shown |= {"log-loss lower by (nats)": _spread(trial.gain), "always-valid p-value": f"{trial.p_value:.2g}"}
    cells = "".join(f"<tr><th>{name}</th><td>{value}</td></tr>" for name, value in shown.items())
    return f"<table>{cells}</table>"


def _spread(bounds: IntervalEstimate) -> str:
    return format_spread(bounds.value, bounds.low, bounds.high)


def _figure(trial: ABTestResult, frame: pd.DataFrame) -> str:
    if trial.units <= FIRST:
        return ""
    how = (
        f"The challenger's mean gain by number of labels, with {format_percent(1 - trial.alpha, 2)} bounds that hold "
        "at all times together. A band above the dashed zero line: significantly better. A band below the dotted "
        "margin: not worth a promotion."
    )
    drawn = svg(draw_course(trial, frame), "trial", trial.sentence)
    return f'<figure class="card trial"><figcaption>{how}</figcaption>{drawn}</figure>'


def betting_course(trial: ABTestResult, frame: pd.DataFrame) -> tuple[Array, Array, Array, Array]:
    """Number of units, and the mean gain there with its lower and upper bound."""
    gain, least, most = differences(frame[frame["truth"].notna()], trial.unit)
    places = np.unique(np.geomspace(FIRST, len(gain), POINTS).round().astype(int))
    low = [w.bound(trial.alpha / 2) for w in betting_wealth(gain, least, places)]
    high = [-w.bound(trial.alpha / 2) for w in betting_wealth(-gain, -most, places)]
    return places.astype(float), np.cumsum(gain)[places - 1] / places, np.array(low), np.array(high)


@STYLED
def draw_course(trial: ABTestResult, frame: pd.DataFrame) -> Figure:
    """The mean gain within its bounds, against zero and the margin."""
    units, mean, low, high = betting_course(trial, frame)
    figure, axes = new_axes(f"labelled {trial.unit}s", "log-loss lower by (nats)", (7.2, 3.6))
    axes.fill_between(units, low, high, color=COLOR_BAND, alpha=0.6, lw=0)
    axes.plot(units, mean, color=COLOR_YES)
    axes.axhline(0, color=COLOR_TEXT, lw=1, ls=DASHED)
    axes.axhline(trial.margin, color=COLOR_MUTED, lw=1, ls=":")
    axes.plot(units[-1], mean[-1], "o", color=COLOR_MARK, ms=5)
    reach = 4 * max(high[-1] - mean[-1], mean[-1] - low[-1], trial.margin)
    axes.set(xscale="log", ylim=(mean[-1] - reach, mean[-1] + reach))
    return figure

"""The monitoring summary as one self-contained HTML page."""

from datetime import UTC, datetime
from pathlib import Path

from markupsafe import Markup

from credence.production.monitoring import plots
from credence.production.monitoring.summary import ColumnDrift, MonitoringSummary
from credence.reporting import plot_style
from credence.reporting.html import template_environment
from credence.reporting.measure import TITLES
from credence.reporting.number_format import format_number, format_percent
from credence.statistics.metrics import METRICS

TEMPLATES = Path(__file__).parent / "templates"

HEADLINES = {"quiet": "Quiet", "watch": "Watch", "drift": "Drift"}
TONES = {"quiet": "promote", "watch": "hold", "drift": "error"}
ORDER = {"drifted": 0, "small": 1, "steady": 2, "aside": 3}
CHANGES = {"drifted": "drifted", "small": "moved a little", "steady": "", "aside": "not tested"}


def render_monitoring(health: MonitoringSummary, answers: tuple[str, str] = ("no", "yes")) -> str:
    """Render the whole page."""
    return (
        template_environment(TEMPLATES)
        .get_template("monitoring.html.j2")
        .render(
            health=health,
            tone=TONES[health.verdict],
            headline=HEADLINES[health.verdict],
            tiles=key_figures(health),
            watched=sorted(health.drift.watched, key=_importance),
            changes=CHANGES,
            figures=drift_figures(health, answers[1]),
            metrics=METRICS,
            titles={**TITLES, **{k: m.title for k, m in METRICS.items()}},
            answers=answers,
            number=format_number,
            day=format_day,
        )
    )


def format_day(seconds: float) -> str:
    """The date of a time in seconds since 1970."""
    return str(datetime.fromtimestamp(seconds, UTC).date())


def _importance(watched: ColumnDrift) -> tuple[int, float]:
    return ORDER[watched.change], -watched.distance


def key_figures(health: MonitoringSummary) -> list[tuple[str, str, str]]:
    """The key figures as (title, value, comparison)."""
    moved, right, service = health.drift, health.performance, health.operations
    score, promised = right.scores.get(right.metric), right.promised.get(right.metric)
    took = service.latency_ms.get("p95")
    return [
        ("answers", format_number(service.records), f"worth {format_number(moved.effective)} independent rows"),
        (
            "columns that drifted",
            format_number(len(moved.drifted())),
            f"of {len({w.column for w in moved.watched})} watched",
        ),
        ("labelled", format_number(right.rows), f"{format_percent(right.share)} of the answers"),
        (
            METRICS[right.metric].title,
            format_number(score.value) if score else format_number(None),
            f"{format_number(promised.value)} on the test rows" if promised else "",
        ),
        ("abstained", format_percent(service.abstained), f"{format_percent(service.yes)} answered yes"),
        ("95 % of requests within", f"{format_number(took)} ms", f"{format_number(service.bound_ms)} ms allowed"),
    ]


def drift_figures(health: MonitoringSummary, yes: str) -> dict[str, Markup]:
    """All figures that have data, as inline SVG with alternative text."""
    made = {
        "over_time": (
            plots.monitoring_over_time(health.operations, yes),
            "probability, answers and abstentions over time",
        )
    }
    if health.performance.table:
        made["reliability"] = (plots.window_reliability(health.performance), "reliability of the labelled rows")
    return {name: Markup(plot_style.svg(figure, name, alt)) for name, (figure, alt) in made.items()}  # nosec B704: own SVG

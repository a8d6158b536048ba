"""What monitoring found as one HTML page that needs nothing else, in the look of the report."""

from datetime import UTC, datetime
from pathlib import Path

from markupsafe import Markup

from credence.production.monitoring import plots
from credence.production.monitoring.summary import Health, Watched
from credence.reporting import plot_style
from credence.reporting.html import environment
from credence.reporting.measure import TITLES
from credence.reporting.number_format import number, percent
from credence.statistics.metrics import METRICS

TEMPLATES = Path(__file__).parent / "templates"

HEADLINES = {"quiet": "Quiet", "watch": "Watch", "drift": "Drift"}
TONES = {"quiet": "promote", "watch": "hold", "drift": "error"}
ORDER = {"drifted": 0, "small": 1, "steady": 2, "aside": 3}
CHANGES = {"drifted": "drifted", "small": "moved a little", "steady": "", "aside": "not judged"}


def render(health: Health, answers: tuple[str, str] = ("no", "yes")) -> str:
    """The whole page."""
    return environment(TEMPLATES).get_template("monitoring.html.j2").render(
        health=health, tone=TONES[health.verdict], headline=HEADLINES[health.verdict], tiles=tiles(health),
        watched=sorted(health.drift.watched, key=_importance), changes=CHANGES, figures=drawn(health, answers[1]),
        metrics=METRICS, titles={**TITLES, **{k: m.title for k, m in METRICS.items()}}, answers=answers,
        number=number, day=day,
    )  # fmt: skip


def day(seconds: float) -> str:
    """A moment that was measured in seconds since 1970, as people write it."""
    return str(datetime.fromtimestamp(seconds, UTC).date())


def _importance(watched: Watched) -> tuple[int, float]:
    return ORDER[watched.change], -watched.distance


def tiles(health: Health) -> list[tuple[str, str, str]]:
    """The key figures: what, how much, and what to compare it with."""
    moved, right, service = health.drift, health.performance, health.operations
    score, promised = right.scores.get(right.metric), right.promised.get(right.metric)
    took = service.latency_ms.get("p95")
    return [
        ("answers", number(service.records), f"worth {number(moved.effective)} independent rows"),
        ("columns that drifted", number(len(moved.drifted())), f"of {len({w.column for w in moved.watched})} watched"),
        ("labelled", number(right.rows), f"{percent(right.share)} of the answers"),
        (METRICS[right.metric].title, number(score.value) if score else number(None),
         f"{number(promised.value)} on the test rows" if promised else ""),
        ("abstained", percent(service.abstained), f"{percent(service.yes)} answered yes"),
        ("95 % of requests within", f"{number(took)} ms", f"{number(service.bound_ms)} ms allowed"),
    ]  # fmt: skip


def drawn(health: Health, yes: str) -> dict[str, Markup]:
    """Every figure that there is something to show in, as inline SVG with alt text."""
    made = {"over_time": (plots.over_time(health.operations, yes), "probability, answers and abstentions over time")}
    if health.performance.table:
        made["reliability"] = (plots.reliability(health.performance), "reliability of the labelled rows")
    return {name: Markup(plot_style.svg(figure, name, alt)) for name, (figure, alt) in made.items()}  # nosec B704: own SVG

"""How good a generated data set is as one HTML page that needs nothing else, in the look of the report."""

import warnings
from pathlib import Path
from typing import NamedTuple

from markupsafe import Markup
from matplotlib.figure import Figure

from credence.generation.llm.prices import dollars
from credence.generation.quality import plots
from credence.generation.quality.report import Quality
from credence.generation.writers.reply_parsing import OF_ITEMS
from credence.reporting import plot_style
from credence.reporting.html import environment
from credence.reporting.number_format import ABSENT, number, percent, plural, spread

TEMPLATES = Path(__file__).parent / "templates"

LONG = 1e15
Tile = tuple[str, str, str]
OF_EXAMPLES = {"label": "its author says another label than was asked for"}


class Errors(NamedTuple):
    """What the errors of a kind of rows are called: of an example nobody knows who was wrong."""

    heading: str
    tile: str
    counted: str
    lead: str


ERRORS = {
    "statements": Errors(
        "Mistakes of the models",
        "models’ mistakes",
        "mistakes",
        "Among statements whose truth could be worked out: how many their author got wrong. None of them became a row.",
    ),
    "examples": Errors(
        "Disagreement of the models",
        "models disagreed",
        "disagreements",
        "Among texts that another model read: how many got another label from it than from their author. None of them "
        "became a row; which of the two was wrong, nobody knows.",
    ),
}


def render(quality: Quality, title: str) -> str:
    """The whole page."""
    tone, headline = verdict(quality)
    return environment(TEMPLATES).get_template("generation.html.j2").render(
        quality=quality, title=title, tone=tone, headline=headline, tiles=tiles(quality), figures=drawn(quality),
        reasons=OF_ITEMS | (OF_EXAMPLES if quality.writer == "examples" else {}), errors=ERRORS[quality.writer],
        number=number, whole=whole, dollars=dollars, spread=spread, most=plots.MOST_LINES,
    )  # fmt: skip


def verdict(quality: Quality) -> tuple[str, str]:
    """The colour and the words that stand above everything."""
    if quality.faults:
        return "error", "Do not use"
    if quality.items.rows < quality.items.wanted:
        return "hold", "Incomplete"
    return ("hold", "Words tell labels") if quality.cautions else ("promote", "Complete")


def tiles(quality: Quality) -> list[Tile]:
    """The key figures: what, how much, and what to compare it with."""
    found, spent, twice = quality.items, quality.expenses, quality.repeats.duplicates
    return [
        ("rows", number(found.rows), f"of {number(found.wanted)} wanted, {number(found.given_up)} given up"),
        _checked(quality),
        ("exact duplicates", number(twice.count), f"of {plural(twice.of, 'row')}"),
        ("rejected", percent(found.rejected.value), f"{found.rejected.count:,} of {plural(found.read, 'item')} read"),
        _erred(quality),
        ("spent", dollars(spent.cost), f"{dollars(spent.held)} held" if spent.held else plural(spent.calls, "call")),
    ]


def _checked(quality: Quality) -> Tile:
    if quality.wrong:
        return "wrong by the check", number(quality.wrong.count), f"of {plural(quality.wrong.of, 'row')}"
    of = quality.unchecked.of
    beside = f"by {quality.agreement} models, of {plural(of, 'row')}"
    return "labels agreed on", number(of - quality.unchecked.count), beside


def _erred(quality: Quality) -> Tile:
    errors = [author.errors for author in quality.items.authors]
    count, of = sum(e.count for e in errors), sum(e.of for e in errors)
    return ERRORS[quality.writer].tile, percent(count / of if of else None), f"{count:,} of {of:,} checked"


def whole(size: float | None) -> str:
    """A number of a text, as it is written there where that is not too long."""
    if size is None:
        return ABSENT
    return f"{size:.3g}" if size >= LONG else f"{size:,.1f}".removesuffix(".0")


def drawn(quality: Quality) -> dict[str, Markup]:
    """Every figure that there is something to show in, as inline SVG with alt text."""
    found, calls, tested = quality.items, quality.expenses, quality.tells.tested
    judged = [author for author in found.authors if author.errors.of]
    made: dict[str, tuple[Figure, str]] = {}
    if found.cells:
        made["places"] = plots.places(found.cells), "rows of every category and label beside their quota"
    if judged:
        name = ERRORS[quality.writer].counted
        made["errors"] = plots.errors(judged, name), f"share of {name} of every model with its 95 % interval"
    if tested:
        made["giveaways"] = plots.giveaways(tested), "labels told by words in every category, with what is permitted"
    if calls.calls:
        made["latency"] = plots.latency(calls.latency), f"calls by seconds, half of them up to {number(calls.median)}"
    return {name: _inline(figure, name, alt) for name, (figure, alt) in made.items()}


def _inline(figure: Figure, name: str, alt: str) -> Markup:
    with warnings.catch_warnings():
        # The page's own font shows what the figure is measured with does not have.
        warnings.filterwarnings("ignore", message="Glyph")
        return Markup(plot_style.svg(figure, name, alt))  # nosec B704: own SVG

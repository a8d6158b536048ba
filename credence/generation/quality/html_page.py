"""The quality report of a generated data set as a self-contained HTML page."""

import warnings
from pathlib import Path
from typing import NamedTuple

from markupsafe import Markup
from matplotlib.figure import Figure

from credence.generation.llm.prices import dollars
from credence.generation.quality import plots
from credence.generation.quality.report import QualityReport
from credence.generation.writers.reply_parsing import REJECT_REASONS
from credence.reporting import plot_style
from credence.reporting.html import template_environment
from credence.reporting.number_format import ABSENT, format_number, format_percent, format_spread, plural

TEMPLATES = Path(__file__).parent / "templates"

MAX_SHOWN_CHARACTERS = 1e15
Tile = tuple[str, str, str]
OF_EXAMPLES = {"label": "its author says another label than was asked for"}


class ErrorTable(NamedTuple):
    """The wording of errors. For examples it is unknown which model was wrong."""

    heading: str
    tile: str
    counted: str
    lead: str


ERRORS = {
    "statements": ErrorTable(
        "Mistakes of the models",
        "models’ mistakes",
        "mistakes",
        "Among statements whose truth could be worked out: how many their author got wrong. None of them became a row.",
    ),
    "examples": ErrorTable(
        "Disagreement of the models",
        "models disagreed",
        "disagreements",
        "Among texts that another model read: how many got another label from it than from their author. None of them "
        "became a row; which of the two was wrong, nobody knows.",
    ),
}


def render(quality: QualityReport, title: str) -> str:
    """Render the page."""
    tone, headline = verdict_sentence(quality)
    return (
        template_environment(TEMPLATES)
        .get_template("generation.html.j2")
        .render(
            quality=quality,
            title=title,
            tone=tone,
            headline=headline,
            tiles=key_figures(quality),
            figures=sample_texts(quality),
            reasons=REJECT_REASONS | (OF_EXAMPLES if quality.writer == "examples" else {}),
            errors=ERRORS[quality.writer],
            number=format_number,
            whole=as_integer_text,
            dollars=dollars,
            spread=format_spread,
            most=plots.MAX_LINES,
        )
    )


def verdict_sentence(quality: QualityReport) -> tuple[str, str]:
    """Return the tone (a CSS class) and the text of the headline."""
    if quality.faults:
        return "error", "Do not use"
    if quality.items.rows < quality.items.wanted:
        return "hold", "Incomplete"
    return ("hold", "Words tell labels") if quality.cautions else ("promote", "Complete")


def key_figures(quality: QualityReport) -> list[Tile]:
    """List the key figures: name, value, and what to compare it with."""
    found, spent, twice = quality.items, quality.expenses, quality.repeats.duplicates
    return [
        (
            "rows",
            format_number(found.rows),
            f"of {format_number(found.wanted)} wanted, {format_number(found.given_up)} given up",
        ),
        _checked(quality),
        ("exact duplicates", format_number(twice.count), f"of {plural(twice.of, 'row')}"),
        (
            "rejected",
            format_percent(found.rejected.value),
            f"{found.rejected.count:,} of {plural(found.read, 'item')} read",
        ),
        _erred(quality),
        ("spent", dollars(spent.cost), f"{dollars(spent.held)} held" if spent.held else plural(spent.calls, "call")),
    ]


def _checked(quality: QualityReport) -> Tile:
    if quality.wrong:
        return "wrong by the check", format_number(quality.wrong.count), f"of {plural(quality.wrong.of, 'row')}"
    of = quality.unchecked.of
    beside = f"by {quality.agreement} models, of {plural(of, 'row')}"
    return "labels agreed on", format_number(of - quality.unchecked.count), beside


def _erred(quality: QualityReport) -> Tile:
    errors = [author.errors for author in quality.items.authors]
    count, of = sum(e.count for e in errors), sum(e.of for e in errors)
    return ERRORS[quality.writer].tile, format_percent(count / of if of else None), f"{count:,} of {of:,} checked"


def as_integer_text(size: float | None) -> str:
    """Format a number from a text: in full below 1e15, otherwise with 3 significant digits."""
    if size is None:
        return ABSENT
    return f"{size:.3g}" if size >= MAX_SHOWN_CHARACTERS else f"{size:,.1f}".removesuffix(".0")


def sample_texts(quality: QualityReport) -> dict[str, Markup]:
    """Draw the figures that have data, as inline SVG with alt text."""
    found, calls, tested = quality.items, quality.expenses, quality.tells.tested
    judged = [author for author in found.authors if author.errors.of]
    drawn: dict[str, tuple[Figure, str]] = {}
    if found.cells:
        drawn["places"] = plots.category_plot(found.cells), "rows of every category and label beside their quota"
    if judged:
        name = ERRORS[quality.writer].counted
        drawn["errors"] = plots.error_plot(judged, name), f"share of {name} of every model with its 95 % interval"
    if tested:
        drawn["giveaways"] = (
            plots.label_leakage_plot(tested),
            "labels told by words in every category, with what is permitted",
        )
    if calls.calls:
        drawn["latency"] = (
            plots.latency_plot(calls.latency),
            f"calls by seconds, half of them up to {format_number(calls.median)}",
        )
    return {name: _inline(figure, name, alt) for name, (figure, alt) in drawn.items()}


def _inline(figure: Figure, name: str, alt: str) -> Markup:
    with warnings.catch_warnings():
        # The page's font has the glyphs that the font for measuring the figure lacks.
        warnings.filterwarnings("ignore", message="Glyph")
        return Markup(plot_style.svg(figure, name, alt))  # nosec B704: own SVG

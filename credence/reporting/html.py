"""The Jinja environment that renders every HTML report."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from credence.reporting.number_format import format_number, format_percent, plural

TEMPLATES = Path(__file__).parent / "templates"


def template_environment(folder: Path = TEMPLATES) -> Environment:
    """Jinja environment with the templates of `folder` and the shared ones.

    Number formats are filters. HTML is escaped, and an undefined name raises an error.
    """
    env = Environment(
        loader=FileSystemLoader([folder, TEMPLATES]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=lambda name: ".html" in str(name),  # nosec B701: the other template is Markdown
    )
    env.filters |= {"number": format_number, "percent": format_percent, "plural": plural, "cell": markdown_cell}
    return env


def markdown_cell(text: str) -> str:
    """Escape a text for a cell of a Markdown table."""
    return " ".join(text.split()).replace("|", "\\|")

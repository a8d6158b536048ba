"""How good is what was written? Counts, refusals, errors of each model, shortcuts, cost."""

from pathlib import Path
from typing import Annotated

from zenml import step
from zenml.types import HTMLString

from credence.core.atomic_write import replace_text
from credence.core.paths import generation_folder
from credence.generation.ledger import Reader
from credence.generation.quality.html_page import render
from credence.generation.quality.report import Quality, examine
from steps.shared import tracking


@step(enable_cache=False)  # reads the ledger
def examine_rows(task: str, ledger: str) -> tuple[Annotated[Quality, "quality"], Annotated[HTMLString, "generation"]]:
    """The figures and their page, which lies in CREDENCE_HOME too: also of a run that stopped."""
    with Reader(Path(ledger)) as reader:
        quality = examine(reader)
    page = render(quality, task)
    place = generation_folder(task) / "report.html"
    replace_text(place, page)
    tracking.text(page, "generation.html")
    tracking.say(quality.sentence)
    tracking.say(f"report: {place}")
    return quality, HTMLString(page)

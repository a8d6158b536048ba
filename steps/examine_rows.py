"""How good is what was written? Counts, refusals, errors of each model, shortcuts, cost."""

from pathlib import Path
from typing import Annotated

from zenml import step
from zenml.types import HTMLString

from credence.generation.page import render
from credence.generation.quality import Quality, examine
from credence.home import generation_folder
from credence.ledger import Reader
from credence.whole import replace_text
from steps import record


@step(enable_cache=False)  # reads the ledger
def examine_rows(task: str, ledger: str) -> tuple[Annotated[Quality, "quality"], Annotated[HTMLString, "generation"]]:
    """The figures and their page, which lies in CREDENCE_HOME too: also of a run that stopped."""
    with Reader(Path(ledger)) as reader:
        quality = examine(reader)
    page = render(quality, task)
    place = generation_folder(task) / "report.html"
    replace_text(place, page)
    record.text(page, "generation.html")
    record.say(quality.sentence)
    record.say(f"report: {place}")
    return quality, HTMLString(page)

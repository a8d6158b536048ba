"""Report the quality of generated rows: counts, rejections, errors of each model, shortcuts, cost."""

from pathlib import Path
from typing import Annotated

from zenml import step
from zenml.types import HTMLString

from credence.core.atomic_write import atomic_write_text
from credence.core.paths import generation_folder
from credence.generation.ledger import LedgerReader
from credence.generation.quality.html_page import render
from credence.generation.quality.report import QualityReport, examine_generation
from steps.shared import tracking


@step(enable_cache=False)  # reads the ledger
def examine_rows(
    task: str, ledger: str
) -> tuple[Annotated[QualityReport, "quality"], Annotated[HTMLString, "generation"]]:
    """Compute the quality report and its HTML page, also of a stopped run; the page is saved in CREDENCE_HOME too."""
    with LedgerReader(Path(ledger)) as reader:
        quality = examine_generation(reader)
    page = render(quality, task)
    place = generation_folder(task) / "report.html"
    atomic_write_text(place, page)
    tracking.log_text(page, "generation.html")
    tracking.log_line(quality.sentence)
    tracking.log_line(f"report: {place}")
    return quality, HTMLString(page)

"""Let language models write the missing rows; every reply is stored in the ledger for later runs."""

from typing import Annotated

from zenml import step

from credence.generation.generate import generate
from credence.generation.ledger import LedgerReader
from credence.generation.progress import Progress
from credence.generation.section import Generation
from steps.shared import tracking


@step(enable_cache=False)  # continues an earlier run
def write_rows(
    task: str, section: Generation, resume: bool
) -> tuple[Annotated[str, "ledger"], Annotated[str, "stopped"]]:
    """Write rows into the ledger; returns its folder, and why writing stopped early (empty if it did not)."""
    done = generate(task, section, Progress(), fresh=not resume)
    with LedgerReader(done.folder) as reader:
        tracking.log_run_metadata(
            {"ledger": str(done.folder), "rows": reader.results().num_rows, "digest": reader.digest()}
        )
    return str(done.folder), done.stopped or ""

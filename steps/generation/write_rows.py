"""Have language models write what is missing; every reply is kept where a later run finds it."""

from typing import Annotated

from zenml import step

from credence.generation.generate import generate
from credence.generation.ledger import LedgerReader
from credence.generation.progress import Progress
from credence.generation.section import Generation
from steps.shared import tracking


@step(enable_cache=False)  # goes on where an earlier run stopped
def write_rows(
    task: str, section: Generation, resume: bool
) -> tuple[Annotated[str, "ledger"], Annotated[str, "stopped"]]:
    """Where the ledger is, and why writing stopped before its end, if it did."""
    done = generate(task, section, Progress(), fresh=not resume)
    with LedgerReader(done.folder) as reader:
        tracking.log_run_metadata(
            {"ledger": str(done.folder), "rows": reader.results().num_rows, "digest": reader.digest()}
        )
    return str(done.folder), done.stopped or ""

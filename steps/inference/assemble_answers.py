"""Join the chunks of all shards into the job's output."""

from typing import Annotated

from zenml import step

from credence.production.batch import BatchJob, JobSummary, assemble_output
from steps.shared import tracking


@step(enable_cache=False)  # writes outside the artifact store
def assemble_answers(job: BatchJob, scored: list[JobSummary]) -> Annotated[str, "answers"]:
    """Write the job's output; returns its place and the number of answers in a sentence."""
    place = assemble_output(job)
    rows, rejected = sum(s.rows for s in scored), sum(s.rejected for s in scored)
    yes = sum(s.share_yes * (s.rows - s.rejected) for s in scored) / max(rows - rejected, 1)
    tracking.log_run_metadata({"rows": rows, "rejected": rejected, "share_yes": yes})
    refused = f", {rejected:,} rows could not be read" if rejected else ""
    return f"{rows - rejected:,} answers, {yes:.1%} yes, in {place}{refused}"

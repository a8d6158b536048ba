"""The batch inference pipeline: rows -> answers of the champion, in parallel shards."""

from zenml import pipeline
from zenml.enums import ExecutionMode

from credence.production.batch import BatchJob
from steps.inference.assemble_answers import assemble_answers
from steps.inference.score_rows import score_rows


@pipeline(enable_cache=False, execution_mode=ExecutionMode.FAIL_FAST)
def inference(task: str, job: BatchJob, shards: int = 1) -> None:
    """Score a source of any size with the champion; a second run continues an interrupted one."""
    scored = [score_rows(task, job, i, shards, id=f"score_{i + 1}_of_{shards}") for i in range(shards)]
    assemble_answers(job, scored)

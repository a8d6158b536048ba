"""Score the rows of a source with the champion in chunks; finished chunks are not scored again."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

from zenml import step

from credence.core.errors import InputError
from credence.core.paths import log_folder
from credence.predictor import read_info
from credence.production.batch import BatchJob, JobSummary, score_job
from credence.production.batch.log_writer import BatchLog
from steps.shared import tracking
from steps.shared.model_versions import champion_version, download_predictor


@step(enable_cache=False)  # writes outside the artifact store
def score_rows(task: str, job: BatchJob, shard: int, shards: int) -> Annotated[JobSummary, "scored"]:
    """Score one shard (every `shards`-th chunk, starting with number `shard`) and return its summary."""
    version = champion_version(task)
    if version is None:
        raise InputError(f"{task!r} has no champion yet; run python run.py --pipeline training --task {task} first.")
    with TemporaryDirectory() as place:
        folder = download_predictor(version, Path(place))
        info = read_info(folder)
        journal = BatchLog.of(log_folder(task), info, job) if info.log.batch else None
        done = score_job(job, folder, (shard, shards), journal)
    tracking.log_run_metadata({**done.model_dump(), "version": info.version})
    tracking.log_line(f"{done.rows:,} rows answered by {info.version} in {done.seconds:.1f} s")
    return done

"""Answer the rows of a source with the champion, chunk by chunk; what is done stays done."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

from zenml import step

from credence.core.errors import BadInput
from credence.core.paths import log_folder
from credence.predictor import read_facts
from credence.production.batch import Job, Summary, score
from credence.production.batch.log_writer import Journal
from steps.shared import tracking
from steps.shared.model_versions import champion_version, folder_of


@step(enable_cache=False)  # writes outside the artifact store
def score_rows(task: str, job: Job, shard: int, shards: int) -> Annotated[Summary, "scored"]:
    """What became of the rows of one shard: every `shards`-th chunk from number `shard` on."""
    version = champion_version(task)
    if version is None:
        raise BadInput(f"{task!r} has no champion yet; run python run.py --pipeline training --task {task} first.")
    with TemporaryDirectory() as place:
        folder = folder_of(version, Path(place))
        facts = read_facts(folder)
        journal = Journal.of(log_folder(task), facts, job) if facts.log.batch else None
        done = score(job, folder, (shard, shards), journal)
    tracking.facts({**done.model_dump(), "version": facts.version})
    tracking.say(f"{done.rows:,} rows answered by {facts.version} in {done.seconds:.1f} s")
    return done

"""Write the answers of batch jobs to the prediction log."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import pandas as pd

from credence.core.hashing import stable_hash
from credence.data.prediction_log.closed_segments import write_segment
from credence.data.prediction_log.schema import PREDICTION, records_table
from credence.predictor import PredictorInfo
from credence.production.answer_records import build_records
from credence.production.batch.job import BatchJob
from credence.security.keyed_hash import KeyedHasher


@dataclass(frozen=True)
class BatchLog:
    """Logs each chunk under the job's name, so a chunk that is scored again after a kill is logged once."""

    folder: Path
    info: PredictorInfo
    name: str

    @classmethod
    def of(cls, folder: Path, info: PredictorInfo, job: BatchJob) -> Self:
        """The log of a job in a task's log folder."""
        out = job.out if job.is_database else str(Path(job.out).resolve())
        what = json.dumps([job.source.model_dump(mode="json"), out, info.version], sort_keys=True, default=str)
        return cls(folder, info, f"batch-{stable_hash(what)}")

    def __call__(self, index: int, rows: pd.DataFrame, answers: pd.DataFrame) -> None:
        """Write the records of one chunk."""
        if not len(rows):
            return
        name, hasher = (
            f"{self.name}-{index:06d}",
            KeyedHasher.of(self.folder) if self.info.log.inputs != "plain" else None,
        )
        made = build_records(f"{self.name}:{index}", rows, answers, self.info, source="batch", hasher=hasher)
        write_segment(self.folder / "predictions", name, records_table(made, PREDICTION))

"""Batch scoring: a million rows in constant memory, in several processes, through any number of kills."""

from credence.batch.job import Job, Summary
from credence.batch.kinds import chunks
from credence.batch.reader import Rejected
from credence.batch.scoring import assemble, score

__all__ = ["Job", "Rejected", "Summary", "assemble", "chunks", "score"]

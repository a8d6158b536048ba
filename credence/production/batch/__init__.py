"""Batch scoring: a million rows in constant memory, in several processes, through any number of kills."""

from credence.production.batch.job import Job, Summary
from credence.production.batch.reader import Rejected
from credence.production.batch.readers import chunks
from credence.production.batch.scoring import assemble, score

__all__ = ["Job", "Rejected", "Summary", "assemble", "chunks", "score"]

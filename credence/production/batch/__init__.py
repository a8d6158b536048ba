"""Batch scoring: a million rows in constant memory, in several processes, through any number of kills."""

from credence.production.batch.job import BatchJob, JobSummary
from credence.production.batch.reader import RejectedRows
from credence.production.batch.readers import chunks
from credence.production.batch.scoring import assemble_output, score_job

__all__ = ["BatchJob", "JobSummary", "RejectedRows", "assemble_output", "chunks", "score_job"]

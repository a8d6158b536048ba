"""Batch scoring in constant memory and several processes; a killed job resumes."""

from credence.production.batch.job import BatchJob, JobSummary
from credence.production.batch.reader import RejectedRows
from credence.production.batch.readers import chunks
from credence.production.batch.scoring import assemble_output, score_job

__all__ = ["BatchJob", "JobSummary", "RejectedRows", "assemble_output", "chunks", "score_job"]

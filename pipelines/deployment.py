"""The deployment pipeline: champion -> bento -> the same answers over HTTP."""

from zenml import pipeline
from zenml.config import CachePolicy
from zenml.enums import ExecutionMode

from credence.core.hashing import source_digest
from steps.deployment.build_bento import build_bento
from steps.deployment.try_bento import try_bento


@pipeline(cache_policy=CachePolicy(cache_func=source_digest), execution_mode=ExecutionMode.FAIL_FAST)
def deployment(task: str) -> None:
    """Package the champion of a task, serve it, and fail unless its answers match the evaluation."""
    try_bento(task, build_bento(task))

"""a version -> champion: signed, staged, and on every running service; or beside the champion, on trial"""

from zenml import pipeline
from zenml.enums import ExecutionMode

from steps.deployment.build_bento import build_bento
from steps.promotion.promote_version import promote_version
from steps.promotion.try_challenger import try_challenger


@pipeline(enable_cache=False, execution_mode=ExecutionMode.FAIL_FAST)
def promotion(task: str, to: str | None, approve: bool, reason: str, tracked: bool = True) -> None:
    """Make a version the champion by hand, with a reason, and package it for whatever starts next."""
    tracker = {"experiment_tracker": True} if tracked else {}
    outcome = promote_version.with_options(**tracker)(task, to, approve, reason)
    build_bento(task, after=[outcome])


@pipeline(enable_cache=False, execution_mode=ExecutionMode.FAIL_FAST)
def ab_test(task: str, challenger: str, share: float | None, reason: str) -> None:
    """Let a version answer real traffic beside the champion, or end that."""
    try_challenger(task, challenger, share, reason)

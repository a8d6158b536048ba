"""Promote a version to champion by hand, or serve it as challenger (A/B test)."""

from zenml import pipeline
from zenml.enums import ExecutionMode

from steps.deployment.build_bento import build_bento
from steps.promotion.promote_version import promote_version
from steps.promotion.try_challenger import try_challenger


@pipeline(enable_cache=False, execution_mode=ExecutionMode.FAIL_FAST)
def promotion(task: str, to: str | None, approve: bool, reason: str, tracked: bool = True) -> None:
    """Promote a version by hand, with a reason, and build its bento."""
    tracker = {"experiment_tracker": True} if tracked else {}
    outcome = promote_version.with_options(**tracker)(task, to, approve, reason)
    build_bento(task, after=[outcome])


@pipeline(enable_cache=False, execution_mode=ExecutionMode.FAIL_FAST)
def ab_test(task: str, challenger: str, share: float | None, reason: str) -> None:
    """Start or stop serving a version beside the champion on real traffic."""
    try_challenger(task, challenger, share, reason)

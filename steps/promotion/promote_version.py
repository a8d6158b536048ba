"""Promote a version by hand: roll back to the previous champion, or approve a version on hold."""

from typing import Annotated

from zenml import ModelVersionResponse, step

from credence.core.errors import InputError
from credence.production.audit import PromotionReason
from steps.shared import audit_log, tracking
from steps.shared.model_versions import champion_version, get_version, list_versions
from steps.shared.promotion_transaction import promote_transaction


@step(enable_cache=False)  # changes the registry
def promote_version(task: str, to: str | None, approve: bool, reason: str) -> Annotated[str, "outcome"]:
    """Promote a version; returns the outcome in one sentence.

    Args:
        task: The task's name.
        to: A version's number, or "previous"; None means the newest version on hold.
        approve: Whether a version on hold may be promoted.
        reason: Why; kept in the audit table.
    """
    version, how = target(task, to, approve)
    outcome = promote_transaction(version, how, reason)
    tracking.log_line(outcome)
    return outcome


def target(task: str, to: str | None, approve: bool) -> tuple[ModelVersionResponse, PromotionReason]:
    """Find the version to promote and the kind of promotion.

    Raises:
        InputError: There is no such version, or it may not be promoted.
    """
    if to == "previous":
        return previous(task), "rollback"
    version = on_hold(task) if to is None else get_version(task, to)
    if was_champion(version):
        return version, "by hand"
    verdict, name = version.run_metadata.get("verdict"), f"{task}:{version.number}"
    if verdict == "hold" and not approve:
        raise InputError(f"{name} is on hold: {_why(version)} Look at its report, then say --approve.")
    if verdict not in ("hold", "promote"):
        judged = "was never judged" if verdict is None else f"did not pass the gate: {_why(version)}"
        raise InputError(
            f"{name} {judged}{'' if judged.endswith('.') else '.'} Train again, or choose another version."
        )
    return version, "approved" if verdict == "hold" else "by hand"


def previous(task: str) -> ModelVersionResponse:
    """Find the version that the champion replaced by its audit record; it need not be the number before.

    Raises:
        InputError: There is no champion, or it replaced none.
    """
    champion = champion_version(task)
    if champion is None:
        raise InputError(f"{task} has no champion, so there is no way back; run --pipeline training first.")
    lines = [line for line in audit_log.promotion_lines(champion) if line.how != "trial"]
    if not lines or lines[-1].replaces is None:
        raise InputError(f"{task}:{champion.number} replaced nobody, so there is no way back; say --to VERSION.")
    return get_version(task, str(lines[-1].replaces))


def on_hold(task: str) -> ModelVersionResponse:
    """Find the newest version on hold that was never champion.

    Raises:
        InputError: No version is on hold.
    """
    for version in reversed(list_versions(task)):
        if version.run_metadata.get("verdict") == "hold" and not was_champion(version):
            return version
    raise InputError(f"no version of {task} is on hold; say --to VERSION, and --history shows the promotions so far.")


def was_champion(version: ModelVersionResponse) -> bool:
    """Return whether the version was champion before, so that it passed the gate or was approved."""
    return any(line.how != "trial" for line in audit_log.promotion_lines(version))


def _why(version: ModelVersionResponse) -> str:
    return str(version.run_metadata.get("reason", "no reason was kept."))

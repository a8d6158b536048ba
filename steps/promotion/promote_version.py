"""Make a version the champion by hand: back to what the champion replaced, or forward to one that a person approves."""

from typing import Annotated

from zenml import ModelVersionResponse, step

from credence.core.errors import InputError
from credence.production.audit import PromotionReason
from steps.shared import audit_log, tracking
from steps.shared.model_versions import champion_version, get_version, list_versions
from steps.shared.promotion_transaction import promote_transaction


@step(enable_cache=False)  # changes the registry
def promote_version(task: str, to: str | None, approve: bool, reason: str) -> Annotated[str, "outcome"]:
    """What happened, in one sentence. `to` is a number, or "previous"; without it, the newest version on hold."""
    version, how = target(task, to, approve)
    outcome = promote_transaction(version, how, reason)
    tracking.log_line(outcome)
    return outcome


def target(task: str, to: str | None, approve: bool) -> tuple[ModelVersionResponse, PromotionReason]:
    """The version that is meant, and how it comes to be champion. BadInput where it may not be."""
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
    """What the champion's own record says it replaced, which is not always the number before it."""
    champion = champion_version(task)
    if champion is None:
        raise InputError(f"{task} has no champion, so there is no way back; run --pipeline training first.")
    lines = [line for line in audit_log.promotion_lines(champion) if line.how != "trial"]
    if not lines or lines[-1].replaces is None:
        raise InputError(f"{task}:{champion.number} replaced nobody, so there is no way back; say --to VERSION.")
    return get_version(task, str(lines[-1].replaces))


def on_hold(task: str) -> ModelVersionResponse:
    """The newest version that waits for a person."""
    for version in reversed(list_versions(task)):
        if version.run_metadata.get("verdict") == "hold" and not was_champion(version):
            return version
    raise InputError(f"no version of {task} is on hold; say --to VERSION, and --history shows the promotions so far.")


def was_champion(version: ModelVersionResponse) -> bool:
    """Did it serve before? Then it passed the gate, or a person let it pass."""
    return any(line.how != "trial" for line in audit_log.promotion_lines(version))


def _why(version: ModelVersionResponse) -> str:
    return str(version.run_metadata.get("reason", "no reason was kept."))

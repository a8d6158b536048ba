"""The champion: the model version in ZenML's stage `production`, followed by MLflow's alias `champion`.

The stage is authoritative and changes in one transaction. The alias is set after it, and again by every later run, so
that the next run repairs a crash between the two.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

import mlflow
from zenml import ModelVersionResponse
from zenml.enums import ModelStages

from credence.production.audit import Promotion, PromotionReason
from steps.shared import audit_log, mlflow_alias
from steps.shared.model_versions import champion_version, download_predictor


def promote_in_registry(
    version: ModelVersionResponse, folder: Path, how: PromotionReason, reason: str
) -> Promotion | None:
    """Make a version the champion and record it in the audit table.

    Args:
        version: The version.
        folder: A copy of its predictor.
        how: The kind of promotion.
        reason: Why.

    Returns:
        The audit entry; None if the version is the champion already.
    """
    name, current, line = version.model.name, champion_version(version.model.name), None
    if current is None or current.id != version.id:
        line = audit_log.record_promotion(version, None if current is None else current.number, how, reason)
        audit_log.append_promotion(version, line)
        if mlflow.active_run() is not None:
            mlflow_alias.register_version(name, version.number, folder)
        version.set_stage(ModelStages.PRODUCTION, force=True)
    sync_mlflow_alias(name)
    return line


def sync_mlflow_alias(name: str) -> None:
    """Point MLflow's alias at the champion; does nothing without an active MLflow run.

    A champion that was promoted without a tracker is registered now. If another run promotes at the same time, the
    alias is set again.
    """
    if mlflow.active_run() is None:
        return
    version = champion_version(name)
    if version is None:
        return mlflow_alias.remove_alias(name)
    mlflow_alias.set_alias(name, mlflow_alias.find_version(name, version.number) or _registered(version))
    now = champion_version(name)
    if now is None or now.id != version.id:
        sync_mlflow_alias(name)


def _registered(version: ModelVersionResponse) -> str:
    with TemporaryDirectory() as place:
        return mlflow_alias.register_version(
            version.model.name, version.number, download_predictor(version, Path(place))
        )

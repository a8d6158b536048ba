"""The champion: the model version in ZenML's stage `production`. MLflow's alias `champion` follows it.

The stage is the truth and changes in one transaction. The alias is set after it, and again by every later run, so that
a crash between the two is mended by whatever runs next.
"""

import mlflow
from zenml import ModelVersionResponse, log_metadata
from zenml.client import Client
from zenml.enums import ModelStages

from credence.errors import BadInput
from credence.predictor import Predictor
from steps import alias


def champion_version(name: str) -> ModelVersionResponse | None:
    """The version of the model in production, or None where there is none yet."""
    try:
        return Client().get_model_version(name, ModelStages.PRODUCTION)
    except KeyError:
        return None


def predictor_of(version: ModelVersionResponse) -> Predictor:
    """The predictor that belongs to a model version. BadInput where the artifact store has lost it."""
    artifact = version.get_artifact("predictor")
    if artifact is None:
        raise BadInput(_lost(version, "ZenML's store"))
    try:
        predictor: Predictor = artifact.load()
    except FileNotFoundError:
        raise BadInput(_lost(version, artifact.uri)) from None
    return predictor


def _lost(version: ModelVersionResponse, place: str) -> str:
    name, number = version.model.name, version.number
    return (
        f"the files of the champion {name}:{number} are gone from {place}; put them back, or give it up: "
        f"zenml model version update {name} {number} --stage archived, then train again."
    )


def promote(version: ModelVersionResponse, predictor: Predictor, reason: str) -> int | None:
    """Make a version the champion, with the reason and what it replaces; return the number of the version replaced.

    Safe to repeat: a version that is the champion already stays so, and its record is not written again.
    """
    name, current = version.model.name, champion_version(version.model.name)
    replaces = None if current is None or current.id == version.id else current.number
    if current is None or replaces is not None:
        log_metadata({"promotion": {"replaces": replaces or 0, "reason": reason}}, model_version_id=version.id)
        if mlflow.active_run() is not None:
            alias.registered(name, version.number, predictor)
        version.set_stage(ModelStages.PRODUCTION, force=True)
    align(name)
    return replaces


def align(name: str) -> None:
    """Point MLflow's alias at the champion, wherever an earlier run left it; nothing to do without a tracker.

    A champion that was promoted without a tracker is registered now. Where another run promotes meanwhile, the last one
    to look sees it.
    """
    if mlflow.active_run() is None:
        return
    version = champion_version(name)
    if version is None:
        return alias.drop(name)
    alias.point(name, alias.find(name, version.number) or alias.registered(name, version.number, predictor_of(version)))
    now = champion_version(name)
    if now is None or now.id != version.id:
        align(name)

"""The champion: the model version in ZenML's stage `production`. MLflow's alias `champion` follows it.

The stage is the truth and changes in one transaction. The alias is set after it, and again by every later run, so that
a crash between the two is mended by whatever runs next.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

import mlflow
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient
from zenml import ModelVersionResponse, log_metadata
from zenml.client import Client
from zenml.enums import ModelStages

from credence.predictor import Predictor

ALIAS, TAG = "champion", "zenml_version"


def champion_version(name: str) -> ModelVersionResponse | None:
    """The version of the model in production, or None where there is none yet."""
    try:
        return Client().get_model_version(name, ModelStages.PRODUCTION)
    except KeyError:
        return None


def predictor_of(version: ModelVersionResponse) -> Predictor:
    """The predictor that belongs to a model version."""
    predictor: Predictor = version.get_artifact("predictor").load()
    return predictor


def promote(version: ModelVersionResponse, predictor: Predictor, reason: str) -> int | None:
    """Make a version the champion, with the reason and what it replaces; return the number of the version replaced.

    Safe to repeat: a version that is the champion already stays so, and its record is not written again.
    """
    name, current = version.model.name, champion_version(version.model.name)
    replaces = None if current is None else current.number
    if replaces != version.number:
        log_metadata({"promotion": {"replaces": replaces or 0, "reason": reason}}, model_version_id=version.id)
        _register(name, version.number, predictor)
        version.set_stage(ModelStages.PRODUCTION, force=True)
    align(name)
    return replaces


def align(name: str) -> None:
    """Point MLflow's alias at the champion, wherever an earlier run left it; nothing to do without a tracker."""
    if mlflow.active_run() is None:
        return
    version, client = champion_version(name), MlflowClient()
    number = None if version is None else _registered(client, name, version.number)
    if number is not None:
        client.set_registered_model_alias(name, ALIAS, number)


def _register(name: str, number: int, predictor: Predictor) -> None:
    """A version in MLflow's registry with the predictor's folder, made once per ZenML version."""
    run, client = mlflow.active_run(), MlflowClient()
    if run is None or _registered(client, name, number) is not None:
        return
    with TemporaryDirectory() as folder:
        predictor.save(Path(folder))
        mlflow.log_artifacts(folder, "predictor")
    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    client.create_model_version(name, f"{run.info.artifact_uri}/predictor", run.info.run_id, tags={TAG: str(number)})


def _registered(client: MlflowClient, name: str, number: int) -> str | None:
    """MLflow's own version of a ZenML version, or None where it was never registered."""
    found = client.search_model_versions(f"name = '{name}'")
    return next((v.version for v in found if v.tags.get(TAG) == str(number)), None)

"""The champion in MLflow's model registry: a registered version and the alias `champion`."""

from pathlib import Path

import mlflow
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

ALIAS, TAG = "champion", "zenml_version"


def register_version(name: str, number: int, folder: Path) -> str:
    """Register a ZenML version in MLflow, unless it is registered; its folder is logged to the active run.

    Returns:
        MLflow's version.
    """
    if (found := find_version(name, number)) is not None:
        return found
    run, client = mlflow.active_run(), MlflowClient()
    mlflow.log_artifacts(str(folder), "predictor")
    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    source, tags = f"{run.info.artifact_uri}/predictor", {TAG: str(number)}
    return str(client.create_model_version(name, source, run.info.run_id, tags=tags).version)


def find_version(name: str, number: int) -> str | None:
    """Find MLflow's version of a ZenML version; None if it is not registered."""
    found = MlflowClient().search_model_versions(f"name = '{name}'")
    return next((str(v.version) for v in found if v.tags.get(TAG) == str(number)), None)


def set_alias(name: str, version: str) -> None:
    """Point the alias at one of MLflow's versions."""
    MlflowClient().set_registered_model_alias(name, ALIAS, version)


def remove_alias(name: str) -> None:
    """Remove the alias, if it is set, because there is no champion."""
    client = MlflowClient()
    for model in client.search_registered_models(f"name = '{name}'"):
        if ALIAS in model.aliases:
            client.delete_registered_model_alias(name, ALIAS)

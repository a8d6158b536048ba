"""ZenML's model versions: list them, find the champion, load predictors."""

from pathlib import Path
from tempfile import TemporaryDirectory

from zenml import ArtifactVersionResponse, ModelVersionResponse
from zenml.artifact_stores import BaseArtifactStore
from zenml.client import Client
from zenml.enums import ModelStages, StackComponentType
from zenml.stack import StackComponent
from zenml.utils import io_utils
from zenml.utils.pagination_utils import depaginate

from credence.core.errors import InputError
from credence.predictor import Predictor
from credence.security.signing import verify

PROMOTED = "promoted"


def champion_version(name: str) -> ModelVersionResponse | None:
    """Return the model's version in stage production; None if there is none yet."""
    try:
        return Client().get_model_version(name, ModelStages.PRODUCTION)
    except KeyError:
        return None


def get_version(task: str, number: str) -> ModelVersionResponse:
    """Return the version with this number.

    Raises:
        InputError: There is none; the message lists the existing versions.
    """
    try:
        return Client().get_model_version(task, int(number))
    except KeyError:
        existing = ", ".join(str(v.number) for v in list_versions(task)) or "none"
        raise InputError(f"{task} has no version {number}; there is {existing}.") from None


def list_versions(task: str) -> list[ModelVersionResponse]:
    """List all versions of a model, oldest first; empty if there is no such model."""
    try:
        found = depaginate(Client().list_model_versions, model=task, hydrate=True)
    except KeyError:
        return []
    return sorted(found, key=lambda v: v.number)


def predictor_artifact(version: ModelVersionResponse) -> ArtifactVersionResponse:
    """Return the artifact of the predictor: the promoted one, or else the one that the gate judged.

    Raises:
        InputError: The version has none.
    """
    artifact = version.get_artifact(PROMOTED) or version.get_artifact("predictor")
    if artifact is None:
        raise InputError(_lost(version, "ZenML's store"))
    return artifact


def download_predictor(version: ModelVersionResponse, place: Path) -> Path:
    """Copy a version's predictor folder to `place` and return its path.

    Raises:
        InputError: Its files are gone from the artifact store.
    """
    artifact, folder = predictor_artifact(version), place / "predictor"
    if not artifact_store_of(artifact).exists(artifact.uri):
        raise InputError(_lost(version, artifact.uri))
    io_utils.copy_dir(artifact.uri, str(folder))
    return folder


def artifact_store_of(artifact: ArtifactVersionResponse) -> BaseArtifactStore:
    """Return the artifact store of an artifact, which may belong to another stack than the active one."""
    client, place = Client(), artifact.artifact_store_id
    if place in (None, client.active_stack.artifact_store.id):
        return client.active_stack.artifact_store
    return StackComponent.from_model(client.get_stack_component(StackComponentType.ARTIFACT_STORE, place))


def load_predictor(version: ModelVersionResponse) -> Predictor:
    """Verify and load the predictor of a version that is or was champion."""
    with TemporaryDirectory() as place:
        folder = download_predictor(version, Path(place))
        verify(folder)
        return Predictor.load(folder)


def _lost(version: ModelVersionResponse, place: str) -> str:
    name, number = version.model.name, version.number
    if version.stage != ModelStages.PRODUCTION:
        return f"the files of {name}:{number} are gone from {place}; put them back, or choose another version."
    return (
        f"the files of the champion {name}:{number} are gone from {place}; put them back, or give it up: "
        f"zenml model version update {name} {number} --stage archived, then train again."
    )

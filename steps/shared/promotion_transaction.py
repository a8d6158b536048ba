"""Let another version answer: signed, in ZenML's stage, under MLflow's alias, on every running service; or nowhere."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from zenml import Model, ModelVersionResponse, link_artifact_to_model, save_artifact

from credence.core.errors import BadInput
from credence.production.audit import How
from credence.security.signing import SIGNATURE, Keys, check, sign, verify
from materializers.folder import FolderMaterializer, content_hash
from materializers.saved import Saved
from steps.shared import tracking
from steps.shared.bento_process import bentos, is_served, prepare
from steps.shared.model_versions import PROMOTED, artifact_of, folder_of
from steps.shared.registry import promote


def succeed(version: ModelVersionResponse, how: How, reason: str) -> str:
    """Make a version the champion; what happened, in a sentence. BadInput, and nothing has changed, where it cannot be.

    A running service answers golden rows with the new predictor before anything moves, and swaps after all else has.
    """
    name = f"{version.model.name}:{version.number}"
    with TemporaryDirectory() as place:
        folder = folder_of(version, Path(place))
        tracking.say(f"{name} is {vouched(version, folder)}")
        with prepared(version.model.name, folder) as services:
            line = promote(version, folder, how, reason)
    instead = f" in place of version {line.replaces}" if line is not None and line.replaces else ""
    return f"{name} is the champion{instead}{services}"


def vouched(version: ModelVersionResponse, folder: Path) -> str:
    """Who vouches for the predictor. One that was never promoted, or never signed, is signed now, card and all."""
    kept, keys = artifact_of(version), Keys.read()
    if kept.name == PROMOTED and (keys.signing is None or (folder / SIGNATURE).exists()):
        return verify(folder, keys)
    if content_hash(folder) != kept.content_hash:  # a signature must not bless what was changed in the artifact store
        check(folder)
        raise BadInput(f"{folder} is not what ZenML's store says was saved; choose another version.")
    if (card := version.get_artifact("card")) is not None:
        (folder / "card.md").write_text(card.load())
    sign(folder, keys)
    promoted = save_artifact(Saved.load(folder), PROMOTED, materializer=FolderMaterializer)
    link_artifact_to_model(promoted, Model(name=version.model.name, version=version.number))
    return verify(folder, keys)


@contextmanager
def prepared(task: str, folder: Path) -> Iterator[str]:
    """Have every running service of the task load the predictor beside its own; swap once the block is done."""
    if not is_served(task):
        yield ""
        return
    found = prepare(folder)
    if found["state"] == "refused":
        why = "; ".join(found["reasons"])
        raise BadInput(f"a running service refused the predictor, and nothing has changed: {why}")
    try:
        yield f", and {found['workers']} running worker(s) answer with it" if found["workers"] else ""
    except BaseException:
        bentos("abort", task, str(found["generation"]))
        raise
    if bentos("commit", task, str(found["generation"]))["state"] == "refused":
        raise BadInput(
            f"{task} has a new champion, but a running service did not follow; promote the same version again."
        )

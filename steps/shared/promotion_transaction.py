"""Let another version answer: signed, in ZenML's stage, under MLflow's alias, on every running service; or nowhere."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from zenml import Model, ModelVersionResponse, link_artifact_to_model, save_artifact

from credence.core.errors import InputError
from credence.production.audit import PromotionReason
from credence.security.signing import SIGNATURE, Keys, check_integrity, sign, verify
from materializers.folder import FolderMaterializer, content_hash
from materializers.saved import Saved
from steps.shared import tracking
from steps.shared.bento_process import has_running_service, prepare_services, run_bentos
from steps.shared.model_versions import PROMOTED, download_predictor, predictor_artifact
from steps.shared.registry import promote_in_registry


def promote_transaction(version: ModelVersionResponse, how: PromotionReason, reason: str) -> str:
    """Make a version the champion; what happened, in a sentence. BadInput, and nothing has changed, where it cannot be.

    A running service answers golden rows with the new predictor before anything moves, and swaps after all else has.
    """
    name = f"{version.model.name}:{version.number}"
    with TemporaryDirectory() as place:
        folder = download_predictor(version, Path(place))
        tracking.log_line(f"{name} is {ensure_signed(version, folder)}")
        with prepared_services(version.model.name, folder) as services:
            line = promote_in_registry(version, folder, how, reason)
    instead = f" in place of version {line.replaces}" if line is not None and line.replaces else ""
    return f"{name} is the champion{instead}{services}"


def ensure_signed(version: ModelVersionResponse, folder: Path) -> str:
    """Who vouches for the predictor. One that was never promoted, or never signed, is signed now, card and all."""
    kept, keys = predictor_artifact(version), Keys.read()
    if kept.name == PROMOTED and (keys.signing is None or (folder / SIGNATURE).exists()):
        return verify(folder, keys)
    if content_hash(folder) != kept.content_hash:  # a signature must not bless what was changed in the artifact store
        check_integrity(folder)
        raise InputError(f"{folder} is not what ZenML's store says was saved; choose another version.")
    if (card := version.get_artifact("card")) is not None:
        (folder / "card.md").write_text(card.load())
    sign(folder, keys)
    promoted = save_artifact(Saved.load(folder), PROMOTED, materializer=FolderMaterializer)
    link_artifact_to_model(promoted, Model(name=version.model.name, version=version.number))
    return verify(folder, keys)


@contextmanager
def prepared_services(task: str, folder: Path) -> Iterator[str]:
    """Have every running service of the task load the predictor beside its own; swap once the block is done."""
    if not has_running_service(task):
        yield ""
        return
    found = prepare_services(folder)
    if found["state"] == "refused":
        why = "; ".join(found["reasons"])
        raise InputError(f"a running service refused the predictor, and nothing has changed: {why}")
    try:
        yield f", and {found['workers']} running worker(s) answer with it" if found["workers"] else ""
    except BaseException:
        run_bentos("abort", task, str(found["generation"]))
        raise
    if run_bentos("commit", task, str(found["generation"]))["state"] == "refused":
        raise InputError(
            f"{task} has a new champion, but a running service did not follow; promote the same version again."
        )

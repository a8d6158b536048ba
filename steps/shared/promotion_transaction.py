"""Promote a version everywhere or nowhere: signature, ZenML stage, MLflow alias, running services."""

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
    """Make a version the champion; returns the outcome in a sentence.

    Running services load and check the new predictor first, and switch to it last.

    Args:
        version: The version.
        how: The kind of promotion.
        reason: Why; kept in the audit table.

    Raises:
        InputError: The version cannot be promoted, and nothing has changed; or a running service did not follow.
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
    """Sign a predictor, model card included, unless it was promoted and signed before.

    Args:
        version: Its version.
        folder: A copy of its folder.

    Returns:
        The description of its signature.

    Raises:
        InputError: The folder is not what was saved.
    """
    kept, keys = predictor_artifact(version), Keys.read()
    if kept.name == PROMOTED and (keys.signing is None or (folder / SIGNATURE).exists()):
        return verify(folder, keys)
    if content_hash(folder) != kept.content_hash:  # never sign what was changed in the artifact store
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
    """Let running services load the predictor on entry, and switch to it when the block ends.

    Yields:
        How many workers will answer with it, as the end of a sentence; empty without running workers.

    Raises:
        InputError: A service refused the predictor, or did not switch.
    """
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

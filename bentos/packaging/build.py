"""Store a saved predictor in BentoML's model store and build a self-contained bento from it."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import bentoml
from bentoml.exceptions import NotFound

from bentos.packaging.requirements import ROOT, extra_indexes, pinned_requirements
from credence.core.errors import InputError
from credence.core.hashing import folder_digest

NAME = "credence"
SERVICE = "bentos.service:Credence"
MAX_TAG_LENGTH = 63
QUIET = {"BENTOML_DO_NOT_TRACK": "True"}


def store_predictor(folder: Path, name: str, version: str, metadata: Mapping[str, Any] | None = None) -> str:
    """Copy a saved predictor into BentoML's model store. Storing identical content again changes nothing.

    Args:
        folder: The saved predictor.
        name: The model's name in the store.
        version: The model's version in the store.
        metadata: JSON values to keep with it.

    Returns:
        Its tag, `name:version`.

    Raises:
        InputError: The folder holds no predictor, the tag holds other content, or the store cannot be written.
    """
    stored_info(folder)
    digest = folder_digest(folder)
    with store_errors_as_input_errors():
        tag = _tag(name, version)
        if (existing := find_stored(tag)) is None:
            with bentoml.models.create(tag, labels={"digest": digest}, metadata=dict(metadata or {})) as model:
                shutil.copytree(folder, model.path, dirs_exist_ok=True)
        elif existing.info.labels.get("digest") != digest:
            raise InputError(
                f"{tag} is already stored with other content; give a new version, or run `bentoml models delete {tag}`."
            )
    return str(tag)


def store_by_version(folder: Path) -> str:
    """Store a saved predictor under the tag `task:number-digest` (8 hex digits of its content) and return the tag."""
    task, number = stored_info(folder)["version"].rsplit(":", 1)
    return store_predictor(folder, task, f"{number}-{folder_digest(folder)[:8]}")


def build_bento(tag: str) -> str:
    """Build a bento that serves a stored model, as `credence:latest`. Nothing is downloaded.

    Args:
        tag: The model's tag.

    Returns:
        The bento's tag.

    Raises:
        InputError: The model is not in the store, or the store cannot be written.
    """
    with store_errors_as_input_errors(), tempfile.TemporaryDirectory(prefix="credence-bento-") as context:
        model = find_stored(bentoml.Tag.from_taglike(tag))
        if model is None:
            raise InputError(f"no model {tag!r} in BentoML's store; store it first, or see `bentoml models list`.")
        write_context(Path(context), model)
        bento = bentoml.Tag(NAME, bento_version(model, folder_digest(Path(context))))
        if not _is_latest(bento):
            _discard(bento)
            _run(Path(context), str(bento.version))
    return str(bento)


def write_context(context: Path, model: bentoml.Model) -> None:
    """Write the build context: our two packages, the tag of the served model, and `bentofile.yaml`."""
    for package in ("credence", "bentos"):
        shutil.copytree(ROOT / package, context / package, ignore=shutil.ignore_patterns("__pycache__"))
    (context / "bentos" / "bento.json").write_text(json.dumps({"model": str(model.tag)}))
    pins = pinned_requirements(Path(model.path))
    facts = stored_info(Path(model.path))
    # JSON is valid YAML.
    (context / "bentofile.yaml").write_text(
        json.dumps(
            {
                "service": SERVICE,
                "description": facts["question"],
                "include": ["credence/", "bentos/"],
                "models": [str(model.tag)],
                "labels": {"task": facts["task"], "version": str(model.tag.version), **model.info.labels},
                "python": {"packages": pins, "lock_packages": False, "extra_index_url": extra_indexes(pins)},
            }
        )
    )


def stored_info(folder: Path) -> dict[str, Any]:
    """Read `predictor.json` of a saved predictor, without importing the libraries that answering needs.

    Raises:
        InputError: The folder has no such file.
    """
    if not (folder / "predictor.json").is_file():
        raise InputError(f"{folder} holds no predictor.json; expected a folder that Predictor.save wrote.")
    facts: dict[str, Any] = json.loads((folder / "predictor.json").read_text())
    return facts


def bento_version(model: bentoml.Model, digest: str) -> str:
    """Name a bento's version by task, model version and content, within BentoML's 63 characters."""
    end = f"-{model.tag.version}-{digest[:8]}"
    return model.tag.name[: MAX_TAG_LENGTH - len(end)] + end


def find_stored(tag: bentoml.Tag) -> bentoml.Model | None:
    """Find a model in BentoML's store; None if there is none."""
    try:
        return bentoml.models.get(tag)
    except NotFound:
        return None


@contextmanager
def store_errors_as_input_errors() -> Iterator[None]:
    """Raise InputError with one sentence if BentoML's store cannot be written (read-only, full, missing)."""
    try:
        yield
    except OSError as error:
        home = os.environ.get("BENTOML_HOME", "~/bentoml")
        raise InputError(
            f"cannot write BentoML's store in {home}: {_why(error)}; make room, or set BENTOML_HOME to another folder."
        ) from error


def _why(error: OSError) -> str:
    """Describe an OSError; of the errors that `shutil.copytree` collects, take the first."""
    if isinstance(error, shutil.Error):
        return str(error.args[0][0][2])
    return f"{error.strerror}{f' ({error.filename})' if error.filename else ''}"


def _tag(name: str, version: str) -> bentoml.Tag:
    try:
        return bentoml.Tag(name, version)
    except ValueError:
        raise InputError(
            f"{name}:{version} is no tag; expected at most {MAX_TAG_LENGTH} "
            "of a-z, 0-9, '_', '-' and '.' on either side."
        ) from None


def _is_latest(bento: bentoml.Tag) -> bool:
    try:
        return bool(bentoml.bentos.get(f"{NAME}:latest").tag == bento)
    except NotFound:
        return False


def _discard(bento: bentoml.Tag) -> None:
    """Delete a bento if it exists: a rollback rebuilds the same version, and only the newest one is `latest`."""
    try:
        bentoml.bentos.delete(bento)
    except NotFound:
        return


def _run(context: Path, version: str) -> None:
    """Build in a separate process, where our packages resolve to the context's copies."""
    command = [sys.executable, "-m", "bentoml", "build", ".", "--version", version, "--output", "tag"]
    environment = {**os.environ, **QUIET, "PYTHONPATH": ""}
    done = subprocess.run(command, cwd=context, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise InputError(f"the bento was not built: {(done.stderr.strip() or done.stdout.strip()).splitlines()[-1]}")

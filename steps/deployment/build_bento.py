"""Build a bento of the champion."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

from zenml import step

from credence.core.errors import InputError
from steps.shared import tracking
from steps.shared.bento_process import run_bentos
from steps.shared.model_versions import champion_version, download_predictor


@step(enable_cache=False)  # reads the registry and writes BentoML's store
def build_bento(task: str) -> Annotated[str, "bento"]:
    """Build a bento of the champion, or reuse it if it was built before; returns its tag."""
    version = champion_version(task)
    if version is None:
        raise InputError(f"{task!r} has no champion yet; run python run.py --pipeline training --task {task} first.")
    with TemporaryDirectory() as place:
        tag: str = run_bentos("build", str(download_predictor(version, Path(place))))["bento"]
    tracking.log_run_metadata({"bento": tag, "champion": version.number})
    tracking.log_line(f"packaged version {version.number} as {tag}")
    return tag

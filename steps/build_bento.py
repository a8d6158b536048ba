"""Package the champion."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

from zenml import get_step_context, step

import materializers.folder  # noqa: F401  registers how predictors are stored
from credence.errors import BadInput
from steps import record
from steps.packaging import bentos
from steps.registry import champion_version, predictor_of


@step(enable_cache=False)  # reads the registry and writes BentoML's store
def build_bento() -> Annotated[str, "bento"]:
    """The tag of a bento that holds the champion, made once per champion."""
    name = get_step_context().model.name
    version = champion_version(name)
    if version is None:
        raise BadInput(f"{name!r} has no champion yet; run python run.py --pipeline training --task {name} first.")
    with TemporaryDirectory() as folder:
        predictor_of(version).save(Path(folder))
        if (card := version.get_artifact("card")) is not None:  # absent where the run was stopped before it was written
            (Path(folder) / "card.md").write_text(card.load())
        tag: str = bentos("build", folder)["bento"]
    record.facts({"bento": tag, "champion": version.number})
    record.say(f"packaged version {version.number} as {tag}")
    return tag

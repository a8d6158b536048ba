"""What a stored predictor has to answer before any request meets it: the first rows of its own reference."""

from pathlib import Path

import bentoml
from bentoml.exceptions import NotFound

from bentos.packaging.build import store_by_version
from bentos.rollout.desired_state import ExpectedAnswer, StoredPredictor
from bentos.runtime.loaded_predictor import LoadedPredictor
from credence.core.errors import InputError

CHECKED_ROWS = 20


def describe_predictor(folder: Path) -> tuple[str, StoredPredictor]:
    """Store the predictor of a folder: its task, and what servers need to know to load and prove it."""
    answerer = LoadedPredictor(folder)
    tag, info = store_by_version(folder), answerer.info
    return info.task, StoredPredictor(tag=tag, version=info.version, golden=tuple(expected_answers(answerer)))


def expected_answers(answerer: LoadedPredictor) -> list[ExpectedAnswer]:
    """What it says of the first rows of its reference."""
    said = answerer.predictor.predict(answerer.predictor.reference.head(CHECKED_ROWS))
    return [ExpectedAnswer(label=a, probability=p) for a, p in zip(said["label"], said["probability"], strict=True)]


def load_and_verify(named: StoredPredictor, task: str) -> LoadedPredictor:
    """The stored predictor of this tag, once it has given the expected answers. BadInput where it does not."""
    try:
        folder = Path(bentoml.models.get(named.tag).path)
    except NotFound:
        raise InputError(f"no model {named.tag!r} in BentoML's store; store it again.") from None
    found = LoadedPredictor(folder)
    if (found.info.task, found.info.version) != (task, named.version):
        raise InputError(f"{named.tag} holds {found.info.version} of {found.info.task}; expected {named.version}.")
    rounding = found.predictor.model.batch_tolerance
    for row, (said, expected) in enumerate(zip(expected_answers(found), named.golden, strict=True)):
        if said.label != expected.label or abs(said.probability - expected.probability) > rounding:
            raise InputError(
                f"{named.tag} says {said.label} ({said.probability!r}) to row {row} of its reference; "
                f"expected {expected.label} ({expected.probability!r})."
            )
    return found

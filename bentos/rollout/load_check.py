"""Check a stored predictor before it serves requests: it must reproduce its answers to reference rows."""

from pathlib import Path

import bentoml
from bentoml.exceptions import NotFound

from bentos.packaging.build import store_by_version
from bentos.rollout.desired_state import ExpectedAnswer, StoredPredictor
from bentos.runtime.loaded_predictor import LoadedPredictor
from credence.core.errors import InputError

CHECKED_ROWS = 20


def describe_predictor(folder: Path) -> tuple[str, StoredPredictor]:
    """Store the predictor of a folder in BentoML's store.

    Returns:
        Its task, and its tag, version and expected answers, with which workers load and check it.
    """
    loaded = LoadedPredictor(folder)
    tag, info = store_by_version(folder), loaded.info
    return info.task, StoredPredictor(tag=tag, version=info.version, golden=tuple(expected_answers(loaded)))


def expected_answers(loaded: LoadedPredictor) -> list[ExpectedAnswer]:
    """Answer the first 20 rows of the predictor's own reference sample."""
    answers = loaded.predictor.predict(loaded.predictor.reference.head(CHECKED_ROWS))
    pairs = zip(answers["label"], answers["probability"], strict=True)
    return [ExpectedAnswer(label=label, probability=probability) for label, probability in pairs]


def load_and_verify(stored: StoredPredictor, task: str) -> LoadedPredictor:
    """Load a stored predictor and compare its answers with the expected ones, up to its model's batch tolerance.

    Raises:
        InputError: The store has no such model, it is another version, or an answer differs.
    """
    try:
        folder = Path(bentoml.models.get(stored.tag).path)
    except NotFound:
        raise InputError(f"no model {stored.tag!r} in BentoML's store; store it again.") from None
    loaded = LoadedPredictor(folder)
    info = loaded.info
    if (info.task, info.version) != (task, stored.version):
        raise InputError(f"{stored.tag} holds {info.version} of {info.task}; expected {stored.version}.")
    tolerance = loaded.predictor.model.batch_tolerance
    for row, (answer, expected) in enumerate(zip(expected_answers(loaded), stored.golden, strict=True)):
        if answer.label != expected.label or abs(answer.probability - expected.probability) > tolerance:
            raise InputError(
                f"{stored.tag} says {answer.label} ({answer.probability!r}) to row {row} of its reference; "
                f"expected {expected.label} ({expected.probability!r})."
            )
    return loaded

"""What a stored predictor has to answer before any request meets it: the first rows of its own reference."""

from pathlib import Path

import bentoml
from bentoml.exceptions import NotFound

from bentos.packaging.build import store_by_version
from bentos.rollout.desired_state import Golden, Named
from bentos.runtime.loaded_predictor import Answerer
from credence.core.errors import BadInput

GOLDEN_ROWS = 20


def named(folder: Path) -> tuple[str, Named]:
    """Store the predictor of a folder: its task, and what servers need to know to load and prove it."""
    answerer = Answerer(folder)
    tag, facts = store_by_version(folder), answerer.facts
    return facts.task, Named(tag=tag, version=facts.version, golden=tuple(golden(answerer)))


def golden(answerer: Answerer) -> list[Golden]:
    """What it says of the first rows of its reference."""
    said = answerer.predictor.predict(answerer.predictor.reference.head(GOLDEN_ROWS))
    return [Golden(label=a, probability=p) for a, p in zip(said["label"], said["probability"], strict=True)]


def proven(named: Named, task: str) -> Answerer:
    """The stored predictor of this tag, once it has given the expected answers. BadInput where it does not."""
    try:
        folder = Path(bentoml.models.get(named.tag).path)
    except NotFound:
        raise BadInput(f"no model {named.tag!r} in BentoML's store; store it again.") from None
    found = Answerer(folder)
    if (found.facts.task, found.facts.version) != (task, named.version):
        raise BadInput(f"{named.tag} holds {found.facts.version} of {found.facts.task}; expected {named.version}.")
    rounding = found.predictor.model.rounding
    for row, (said, expected) in enumerate(zip(golden(found), named.golden, strict=True)):
        if said.label != expected.label or abs(said.probability - expected.probability) > rounding:
            raise BadInput(
                f"{named.tag} says {said.label} ({said.probability!r}) to row {row} of its reference; "
                f"expected {expected.label} ({expected.probability!r})."
            )
    return found

"""What the servers of a task shall answer with: one small file, replaced whole, that every worker watches."""

import time
from contextlib import AbstractContextManager
from typing import Literal

from pydantic import Field, ValidationError

from credence.core.atomic_write import atomic_write_text
from credence.core.errors import InputError
from credence.core.file_lock import exclusive_lock
from credence.core.paths import serving_folder
from credence.core.registry import StrictModel

FILE = "wanted.json"
LOCK = "lock"
RolloutMode = Literal["shadow", "split"]


class ExpectedAnswer(StrictModel):
    """What the predictor says of one of its own reference rows."""

    label: str
    probability: float


class StoredPredictor(StrictModel):
    """A stored predictor, the answers that prove it, and the edition of the file that first asked for it."""

    tag: str
    version: str
    golden: tuple[ExpectedAnswer, ...]
    generation: int = 0


class DesiredChallenger(StoredPredictor):
    """A predictor that is tried: on a copy of the traffic, or on a share of it."""

    mode: RolloutMode = "shadow"
    share: float = Field(0.1, gt=0, lt=1)


class DesiredState(StrictModel):
    """`champion` is answered with; `pending` is to be loaded beside it and waits for its commit."""

    edition: int = 0
    champion: StoredPredictor | None = None
    decided: int = Field(0, description="the edition that made the champion the champion")
    pending: StoredPredictor | None = None
    challenger: DesiredChallenger | None = None


def read_desired_state(task: str) -> DesiredState:
    """What is wanted of the task's servers now; nothing where nobody has asked for anything."""
    try:
        return DesiredState.model_validate_json((serving_folder(task) / FILE).read_bytes())
    except FileNotFoundError:
        return DesiredState()
    except ValidationError:
        file = serving_folder(task) / FILE
        raise InputError(f"{file} is not what `python -m bentos` writes; remove it, and ask again.") from None


def write_desired_state(task: str, wanted: DesiredState) -> None:
    """Replace the file as a whole, so that no worker ever reads half of it."""
    atomic_write_text(serving_folder(task) / FILE, wanted.model_dump_json(indent=1))


def next_edition(wanted: DesiredState) -> int:
    """Later than this one, and later than one that somebody deleted."""
    return max(wanted.edition + 1, time.time_ns() // 1_000_000)


def desired_state_lock(task: str) -> AbstractContextManager[int]:
    """Hold the lock of a task's desired state; one command at a time may change it.

    Raises:
        InputError: Another command holds the lock.
    """
    refusal = f"another command is changing what {task} is answered with; wait for it, and try again."
    return exclusive_lock(serving_folder(task) / LOCK, refusal)

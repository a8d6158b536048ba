"""Desired model versions of a task, in one atomically replaced JSON file that every worker watches."""

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
    """The predictor's answer to one of its own reference rows."""

    label: str
    probability: float


class StoredPredictor(StrictModel):
    """A predictor in BentoML's store.

    Attributes:
        tag: Its tag in the store.
        version: Its version, as task:number.
        golden: The expected answers to its first reference rows, which a worker checks after loading.
        generation: The edition of the desired state that first asked for it.
    """

    tag: str
    version: str
    golden: tuple[ExpectedAnswer, ...]
    generation: int = 0


class DesiredChallenger(StoredPredictor):
    """A predictor to serve on a copy of the traffic (`shadow`) or on a share of it (`split`)."""

    mode: RolloutMode = "shadow"
    share: float = Field(0.1, gt=0, lt=1)


class DesiredState(StrictModel):
    """The desired versions of a task.

    Attributes:
        edition: Increases with every change.
        champion: The predictor that answers; None means the one that a server was started with.
        decided: The edition that made it the champion.
        pending: The predictor that workers load beside it, until it is committed or aborted.
        challenger: The predictor that is served beside the champion.
    """

    edition: int = 0
    champion: StoredPredictor | None = None
    decided: int = Field(0, description="the edition that made it the champion")
    pending: StoredPredictor | None = None
    challenger: DesiredChallenger | None = None


def read_desired_state(task: str) -> DesiredState:
    """Read the desired state of a task; an empty one if there is no file.

    Raises:
        InputError: The file cannot be parsed.
    """
    try:
        return DesiredState.model_validate_json((serving_folder(task) / FILE).read_bytes())
    except FileNotFoundError:
        return DesiredState()
    except ValidationError:
        file = serving_folder(task) / FILE
        raise InputError(f"{file} is not what `python -m bentos` writes; remove it, and ask again.") from None


def write_desired_state(task: str, desired: DesiredState) -> None:
    """Replace the file atomically, so that no worker reads a partial one."""
    atomic_write_text(serving_folder(task) / FILE, desired.model_dump_json(indent=1))


def next_edition(desired: DesiredState) -> int:
    """Return a number above the current edition, and above those of a deleted file (milliseconds since 1970)."""
    return max(desired.edition + 1, time.time_ns() // 1_000_000)


def desired_state_lock(task: str) -> AbstractContextManager[int]:
    """Hold the lock of a task's desired state; one command at a time may change it.

    Raises:
        InputError: Another command holds the lock.
    """
    refusal = f"another command is changing what {task} is answered with; wait for it, and try again."
    return exclusive_lock(serving_folder(task) / LOCK, refusal)

"""What the servers of a task shall answer with: one small file, replaced whole, that every worker watches."""

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from pydantic import Field, ValidationError

from credence.core.atomic_write import replace_text
from credence.core.errors import BadInput
from credence.core.paths import serving_folder
from credence.core.registry import Strict

FILE = "wanted.json"
LOCK = "lock"
Mode = Literal["shadow", "split"]


class Golden(Strict):
    """What the predictor says of one of its own reference rows."""

    label: str
    probability: float


class Named(Strict):
    """A stored predictor, the answers that prove it, and the edition of the file that first asked for it."""

    tag: str
    version: str
    golden: tuple[Golden, ...]
    generation: int = 0


class Challenger(Named):
    """A predictor that is tried: on a copy of the traffic, or on a share of it."""

    mode: Mode = "shadow"
    share: float = Field(0.1, gt=0, lt=1)


class Wanted(Strict):
    """`champion` is answered with; `pending` is to be loaded beside it and waits for its commit."""

    edition: int = 0
    champion: Named | None = None
    decided: int = Field(0, description="the edition that made the champion the champion")
    pending: Named | None = None
    challenger: Challenger | None = None


def read(task: str) -> Wanted:
    """What is wanted of the task's servers now; nothing where nobody has asked for anything."""
    try:
        return Wanted.model_validate_json((serving_folder(task) / FILE).read_bytes())
    except FileNotFoundError:
        return Wanted()
    except ValidationError:
        file = serving_folder(task) / FILE
        raise BadInput(f"{file} is not what `python -m bentos` writes; remove it, and ask again.") from None


def write(task: str, wanted: Wanted) -> None:
    """Replace the file as a whole, so that no worker ever reads half of it."""
    replace_text(serving_folder(task) / FILE, wanted.model_dump_json(indent=1))


def next_edition(wanted: Wanted) -> int:
    """Later than this one, and later than one that somebody deleted."""
    return max(wanted.edition + 1, time.time_ns() // 1_000_000)


@contextmanager
def changing(task: str) -> Iterator[None]:
    """One command at a time for a task. BadInput where another one is at work."""
    folder = serving_folder(task)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK).open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BadInput(
                f"another command is changing what {task} is answered with; wait for it, and try again."
            ) from None
        yield

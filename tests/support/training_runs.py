"""Training runs in processes of their own: run with what to do, a folder, and how often.

`pair` and `team` learn in several processes, forked here or started by torchrun. `killed` kills run after run; it
forks, so that a run does not begin with seconds of imports.
"""

import hashlib
import json
import os
import random
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Any

import torch

from credence.core.errors import InputError
from credence.models.training import History, Trainable, seeded
from tests.support.training_cases import OFTEN, Hungry, Spoilt, bag, bits, curve, interrupted, taught

ROWS, EVEN = 97, 96  # of 97 rows the last batch has one, which is all for one process and nothing for another
STEPS, LONG = 25, {"batch_rows": 8, "patience": 99, "n": 200}  # so many steps an epoch


def digest(module: Trainable) -> str:
    """One hash of all weights."""
    return hashlib.sha256(b"".join(bits(module).values())).hexdigest()


def told(module: Trainable, history: History) -> dict[str, Any]:
    """What a test compares."""
    most = max(len(ids) for ids in module.asked if ids[0].startswith("row-0"))  # type: ignore[union-attr, arg-type]
    return {"curve": curve(history), "notes": history.notes, "bits": digest(module), "most": most}


def plain(folder: Path) -> dict[str, Any]:
    """Without dropout a batch costs the same however it is dealt; the last one has one row for two processes."""
    return told(*taught(module=bag(dropout=0, penalty=0.1), n=ROWS, batch_rows=32, epochs=5))


def dropped(folder: Path) -> dict[str, Any]:
    """Two processes draw what one draws in two passes."""
    return told(*taught(module=bag(), n=ROWS, accumulate=1 if "RANK" in os.environ else 2))


def hungry(folder: Path) -> dict[str, Any]:
    """One process alone runs out of memory."""
    with seeded(0):
        module = Hungry(most=4 if os.environ.get("RANK") == "1" else 99, dropout=0.0)
    return told(*taught(module=module, n=ROWS))


def unlike(folder: Path) -> dict[str, Any]:
    """Processes whose modules begin differently learn from the first one's."""
    return told(*taught(module=bag(seed=int(os.environ.get("RANK", "0"))), n=ROWS, accumulate=2))


def spoilt(folder: Path) -> dict[str, Any]:
    """A row that one of the processes reads."""
    with seeded(0):
        module = Spoilt("row-0-7")
    try:
        taught(module=module, n=ROWS)
    except InputError as error:
        return {"said": str(error)}
    raise AssertionError("it went on")


def resumed(folder: Path) -> dict[str, Any]:
    """Stopped in the third epoch and taken up, where only the first process sees the checkpoints."""
    mine = folder / f"disk-{os.environ.get('RANK', 'alone')}"
    whole, _ = taught(module=bag(), n=EVEN)
    interrupted(mine, bag(), 16, n=EVEN)
    module, history = taught(mine, n=EVEN)
    return told(module, history) | {"whole": digest(whole), "files": sorted(f.name for f in mine.rglob("*.json"))}


CASES = [plain, dropped, hungry, unlike, spoilt, resumed]


def team(folder: Path) -> None:
    """This process's part of every case, one after another in one team, written down."""
    found = {case.__name__: case(folder) for case in CASES}
    (folder / f"{os.environ.get('RANK', 'alone')}.json").write_text(json.dumps(found))


def pair(folder: Path) -> None:
    """Two processes that find each other as torchrun's do, beside one that is alone."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    where = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": "2"}
    children = []
    for more in ({}, {**where, "RANK": "0"}, {**where, "RANK": "1"}):
        children.append(os.fork())
        if not children[-1]:
            os.environ.update(more)
            _end(team, folder)
    assert [os.waitpid(child, 0)[1] for child in children] == [0, 0, 0]


def live(folder: Path, epochs: int) -> None:
    """One run, to its end."""
    module, history = taught(folder / "run", epochs=epochs, **LONG, **OFTEN)
    (folder / "end.json").write_text(json.dumps({"bits": digest(module), "notes": history.notes}))


def epochs_for(kills: int) -> int:
    """Enough to outlast so many kills, of which none comes later than some steps after the one before."""
    return 3 + kills * 8 // STEPS


def killed(folder: Path, kills: int, inside: int, seed: int) -> None:
    """Kill run after run, some inside a save, and let the last one live."""
    dice = random.Random(seed)
    within = {*dice.sample(range(kills), inside)}
    diary = []
    for k in range(kills + 1):
        before = _newest(folder)
        child = os.fork()
        if not child:
            if k in within:
                _die_in_a_save(dice.randrange(1, 25), half=dice.random() < 0.4)
            _end(live, folder, epochs_for(kills))
        if k < kills and k not in within:
            _kill_soon(child, folder, before, dice)
        _, status = os.waitpid(child, 0)
        diary.append({"signal": os.WTERMSIG(status), "from": before, "to": _newest(folder), **_left(folder)})
    (folder / "diary.json").write_text(json.dumps({"runs": diary, "within": sorted(within)}))


def _newest(folder: Path) -> int:
    """The step of the newest checkpoint that has a label."""
    return max((int(f.name[:9]) for f in folder.glob("run/training/[0-9]*.json")), default=0)


def _left(folder: Path) -> dict[str, int]:
    """What a kill leaves of a save: drafts, and weights without a label."""
    files = [f for f in folder.glob("run/training/[0-9]*.safetensors") if not f.with_suffix(".json").exists()]
    return {"drafts": len(list(folder.glob("run/*/.*.tmp"))), "orphans": len(files)}


def _kill_soon(child: int, folder: Path, before: int, dice: random.Random) -> None:
    """SIGKILL some steps after the run was taken up, or while it is, at no particular moment."""
    steps, give_up = dice.randrange(5), time.monotonic() + 20
    while _newest(folder) < before + steps and time.monotonic() < give_up:
        time.sleep(0.001)
    time.sleep(dice.uniform(0, 0.01))
    os.kill(child, signal.SIGKILL)


def _die_in_a_save(at: int, half: bool) -> None:
    """The process dies at its so manieth sync, or with half a draft of weights written."""
    sync, write_bytes = os.fsync, Path.write_bytes
    left = [at]

    def fsync(descriptor: int) -> None:
        left[0] -= 1
        sync(descriptor) if left[0] else os.kill(os.getpid(), signal.SIGKILL)

    def write(file: Path, data: bytes) -> int:
        left[0] -= 4
        if left[0] <= 0:
            write_bytes(file, data[: len(data) // 2])
            os.kill(os.getpid(), signal.SIGKILL)
        return write_bytes(file, data)

    if half:
        Path.write_bytes = write  # type: ignore[method-assign, assignment]
    else:
        os.fsync = fsync  # type: ignore[assignment]


def _end(act: Any, *given: Any) -> None:
    code = 1
    try:
        act(*given)
        code = 0
    finally:
        sys.stdout.flush()
        os._exit(code)


if __name__ == "__main__":
    torch.set_num_threads(1)
    what, folder, *numbers = sys.argv[1:]
    torch.optim.AdamW(bag().parameters())  # imports for seconds, once for all children
    {"team": team, "pair": pair, "killed": killed}[what](Path(folder), *map(int, numbers))

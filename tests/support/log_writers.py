"""Processes that write a log until they are killed: run with a folder, a number of rounds and a seed.

A process of its own that forks, so that a round does not begin with seconds of imports.
"""

import os
import random
import signal
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from credence.data.prediction_log.schema import FEEDBACK, PREDICTION
from credence.data.prediction_log.writer import LogWriter
from tests.support.log_cases import record, truth

AT_ONCE = 3


def write_until_killed(folder: Path, name: str) -> None:
    """Say of every record when it was put, and of every truth that it was acknowledged."""
    diary = os.open(folder / f"{name}.diary", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    predictions = LogWriter(folder / "predictions", PREDICTION, segment_bytes=8000, most_waiting=10**6)
    truths = LogWriter(folder / "feedback", FEEDBACK, segment_bytes=500)
    i = 0
    while True:
        made = record(i, request_id=f"{name}:{i}", time=datetime.now(UTC))
        predictions.put(lambda made=made: [made])  # type: ignore[misc]
        os.write(diary, f"put {i} {time.monotonic()}\n".encode())
        if i % 20 == 0:
            truths.append([truth(i) | {"request_id": f"{name}:{i}"}])
            os.write(diary, f"told {i} {time.monotonic()}\n".encode())
        i += 1
        time.sleep(0.001)


def main(folder: Path, rounds: int, seed: int) -> None:
    """In every round several writers start on one log and are killed, each at a moment of its own."""
    dice = random.Random(seed)
    for k in range(rounds):
        children = []
        for j in range(AT_ONCE):
            child = os.fork()
            if child == 0:
                write_until_killed(folder, f"{k}.{j}")
            children.append(child)
        for child in dice.sample(children, AT_ONCE):
            time.sleep(dice.uniform(0.05, 0.4))
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))

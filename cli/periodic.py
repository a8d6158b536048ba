"""The same command again and again, on a machine that has no scheduler: never two at once, and stopped by a signal."""

import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from types import FrameType

from credence.core.file_lock import exclusive_lock
from credence.core.time_format import format_duration

Say = Callable[[str], None]


def run_periodically(command: Sequence[str], every: float, lock: Path, say: Say, rounds: int | None = None) -> None:
    """Run a command every so many seconds until a signal comes. A run that fails is told, and the next one is tried.

    A run that takes longer than `every` is not overtaken: the turns it misses are left out. BadInput where another
    process repeats under the same `lock`.
    """
    refusal = f"another process repeats this already (it holds {lock}); stop it first."
    with exclusive_lock(lock, refusal) as held, signals_as_interrupt():
        turn, done = time.monotonic(), 0
        while rounds is None or done < rounds:
            code = run_once(command, held)
            done += 1
            turn = next_run_time(turn, time.monotonic(), every)
            if rounds is None or done < rounds:
                wait = max(0.0, turn - time.monotonic())
                at = datetime.now().astimezone() + timedelta(seconds=wait)
                failed = f"that run ended with exit code {code}; " if code else ""
                say(f"{failed}next run at {at:%H:%M:%S}, in {format_duration(wait)} (Ctrl-C stops)")
                time.sleep(wait)


def run_once(command: Sequence[str], held: int) -> int:
    """Run the command to its end; its exit code. A signal to us is passed on once as SIGTERM, and its end is awaited.

    The run holds the lock too, so that it is not joined by another where this process is killed.
    """
    with subprocess.Popen(command, start_new_session=True, pass_fds=[held]) as process:
        try:
            return process.wait()
        except KeyboardInterrupt:
            process.terminate()
            raise


def strip_flag(flag: str, command: Sequence[str]) -> list[str]:
    """The command without a flag and its value, written as one word or as two."""
    places = [i for i, word in enumerate(command) if word == flag]
    left_out = {*places, *(i + 1 for i in places)}
    return [w for i, w in enumerate(command) if i not in left_out and not w.startswith(f"{flag}=")]


def next_run_time(turn: float, now: float, every: float) -> float:
    """The first turn after `turn` that is not past yet."""
    missed = max(0, int((now - turn) // every))
    return turn + (missed + 1) * every


@contextmanager
def signals_as_interrupt() -> Iterator[None]:
    """Let SIGTERM raise KeyboardInterrupt, and SIGINT also where a shell that went on without us has it ignored."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

"""Run a command periodically on a machine without a scheduler, one run at a time, until a signal."""

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
    """Run a command every `every` seconds until SIGINT or SIGTERM.

    A failed run is reported and does not stop the next one. Runs never overlap: times that pass during a run are
    skipped.

    Args:
        command: The command.
        every: Seconds between the starts of two runs.
        lock: A file to lock, so that one process at a time runs the command periodically.
        say: Prints a line.
        rounds: Number of runs; None means no limit.

    Raises:
        InputError: Another process holds the lock.
    """
    refusal = f"another process repeats this already (it holds {lock}); stop it first."
    with exclusive_lock(lock, refusal) as held, signals_as_interrupt():
        due, done = time.monotonic(), 0
        while rounds is None or done < rounds:
            code = run_once(command, held)
            done += 1
            due = next_run_time(due, time.monotonic(), every)
            if rounds is None or done < rounds:
                wait = max(0.0, due - time.monotonic())
                at = datetime.now().astimezone() + timedelta(seconds=wait)
                failed = f"that run ended with exit code {code}; " if code else ""
                say(f"{failed}next run at {at:%H:%M:%S}, in {format_duration(wait)} (Ctrl-C stops)")
                time.sleep(wait)


def run_once(command: Sequence[str], held: int) -> int:
    """Run a command and return its exit code; on a signal, send it SIGTERM and wait for its end.

    The command inherits the lock's file descriptor `held`. So no second run starts beside it if this process is
    killed.
    """
    with subprocess.Popen(command, start_new_session=True, pass_fds=[held]) as process:
        try:
            return process.wait()
        except KeyboardInterrupt:
            process.terminate()
            raise


def strip_flag(flag: str, command: Sequence[str]) -> list[str]:
    """Remove a flag and its value from a command, written as `--flag value` or as `--flag=value`."""
    places = [i for i, word in enumerate(command) if word == flag]
    removed = {*places, *(i + 1 for i in places)}
    return [w for i, w in enumerate(command) if i not in removed and not w.startswith(f"{flag}=")]


def next_run_time(due: float, now: float, every: float) -> float:
    """Return the first time `due` + n × `every` (n ≥ 1) that is not past; all in seconds."""
    missed = max(0, int((now - due) // every))
    return due + (missed + 1) * every


@contextmanager
def signals_as_interrupt() -> Iterator[None]:
    """Raise KeyboardInterrupt on SIGTERM, and on SIGINT even if the shell set it to ignore."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

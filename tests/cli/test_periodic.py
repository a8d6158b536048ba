"""A command that is repeated: turns are kept, runs never overlap, and signals end it cleanly."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.periodic import next_run_time, run_periodically, strip_flag
from credence.core.errors import InputError
from credence.core.file_lock import exclusive_lock
from credence.core.time_format import UNITS, format_duration, parse_duration

ROOT = Path(__file__).parents[2]
NOTE = "import sys, time; open(sys.argv[1], 'a').write('x'); time.sleep(float(sys.argv[2])); sys.exit(int(sys.argv[3]))"
LOOP = """
import sys
from pathlib import Path
from cli.periodic import run_periodically
try:
    run_periodically(sys.argv[2:], 0.2, Path(sys.argv[1]), lambda line: print(line, flush=True))
except KeyboardInterrupt:
    print("STOPPED", flush=True)
"""
PATIENT = """
import sys, time
from pathlib import Path
from cli.periodic import signals_as_interrupt
try:
    with signals_as_interrupt():
        Path(sys.argv[1]).write_text("begun")
        time.sleep(60)
except KeyboardInterrupt:
    time.sleep(0.3)
    Path(sys.argv[1]).write_text("ended in peace")
"""


def noted(file: Path, sleep: float = 0, code: int = 0) -> list[str]:
    return [sys.executable, "-c", NOTE, str(file), str(sleep), str(code)]


def loop(tmp_path: Path, *command: str) -> "subprocess.Popen[str]":
    start = [sys.executable, "-c", LOOP, str(tmp_path / "lock"), *command]
    return subprocess.Popen(start, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for(file: Path, text: str) -> None:
    deadline = time.monotonic() + 60
    while not (file.is_file() and file.read_text() == text):
        assert time.monotonic() < deadline, f"{file} never said {text!r}"
        time.sleep(0.02)


def test_every_run_is_followed_by_the_next_and_says_when(tmp_path: Path) -> None:
    said: list[str] = []
    run_periodically(noted(tmp_path / "runs"), 0.01, tmp_path / "lock", said.append, rounds=3)
    assert (tmp_path / "runs").read_text() == "xxx"
    assert len(said) == 2 and all(line.startswith("next run at ") for line in said)


def test_a_run_that_fails_is_told_and_the_next_one_is_tried(tmp_path: Path) -> None:
    said: list[str] = []
    run_periodically(noted(tmp_path / "runs", code=2), 0.01, tmp_path / "lock", said.append, rounds=2)
    assert (tmp_path / "runs").read_text() == "xx"
    assert said[0].startswith("that run ended with exit code 2; next run at ")


@given(st.floats(0, 1e6), st.floats(0, 1e5), st.floats(0.5, 1e4))
def test_turns_are_kept_and_missed_ones_left_out(turn: float, late: float, every: float) -> None:
    found, now = next_run_time(turn, turn + late, every), turn + late
    assert found > now - 1e-6 * (1 + now) and found - now <= every * (1 + 1e-6) + 1e-6 * now
    assert round((found - turn) / every) == pytest.approx((found - turn) / every, abs=1e-3)


def test_two_of_them_do_not_run_at_once(tmp_path: Path) -> None:
    held = exclusive_lock(tmp_path / "lock", "taken")
    with held, pytest.raises(InputError, match="another process repeats this already"):
        run_periodically(noted(tmp_path / "runs"), 1, tmp_path / "lock", print, rounds=1)
    assert not (tmp_path / "runs").exists()


def test_a_run_outlives_its_killed_parent_alone(tmp_path: Path) -> None:
    """The run that is under way keeps the lock, so that a second loop cannot start another beside it."""
    file = tmp_path / "said"
    process = loop(tmp_path, sys.executable, "-c", PATIENT, str(file))
    wait_for(file, "begun")
    run = next(int(p) for p in children(process.pid))
    process.kill()
    process.wait()  # its pipes stay open in the run that it leaves behind
    with pytest.raises(InputError, match="taken"), exclusive_lock(tmp_path / "lock", "taken"):
        pass
    os.kill(run, signal.SIGTERM)
    wait_for(file, "ended in peace")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_run_in_peace_and_then_the_loop(number: signal.Signals, tmp_path: Path) -> None:
    file = tmp_path / "said"
    process = loop(tmp_path, sys.executable, "-c", PATIENT, str(file))
    wait_for(file, "begun")
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert file.read_text() == "ended in peace"
    assert "STOPPED" in out and "Traceback" not in err


def children(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


@pytest.mark.parametrize(
    ("span", "length"), [("90s", 90), ("10m", 600), ("1h30m", 5400), ("1.5h", 5400), ("7d", 604800)]
)
def test_spans_are_read(span: str, length: float) -> None:
    assert parse_duration(span) == length


@pytest.mark.parametrize("span", ["", "1", "h", "1 h", "-1h", "0s", "1y", "h1", "1h x", "infinite"])
def test_what_is_no_span_is_a_sentence(span: str) -> None:
    with pytest.raises(InputError, match=r"is not a duration; expected one such as 90s"):
        parse_duration(span)


@given(st.integers(1, 10**8))
def test_a_span_that_is_spoken_can_be_read(length: int) -> None:
    assert parse_duration(format_duration(length)) == length
    assert set(format_duration(length)) <= {*"0123456789", *UNITS}


@pytest.mark.parametrize("given", [["--every", "1h"], ["--every=1h"], []])
def test_a_flag_is_taken_out_with_its_value(given: list[str]) -> None:
    assert strip_flag("--every", ["--task", "x", *given, "--since", "y"]) == ["--task", "x", "--since", "y"]

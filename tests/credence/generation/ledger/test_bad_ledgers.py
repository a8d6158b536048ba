"""What a ledger refuses, it refuses in one sentence, and nothing that was recorded suffers."""

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from credence.core.errors import InputError
from credence.generation.ledger import Ledger, LedgerReader
from tests.support.ledger_cases import opened, result, spec

ROOT = Path(__file__).parents[4]


def sentence(folder: Path, wanted: dict[str, object] | None = None) -> str:
    with pytest.raises(InputError) as refusal:
        Ledger(folder, spec() if wanted is None else wanted)
    assert "\n" not in str(refusal.value)
    return str(refusal.value)


def test_a_second_run_is_told_who_writes(tmp_path: Path) -> None:
    ledger, due = opened(tmp_path)
    assert sentence(tmp_path) == (
        f"{tmp_path}: another run (process {os.getpid()}) writes this ledger; wait for its end, or stop it."
    )
    ledger.record([result(due[0], "c")])
    with LedgerReader(tmp_path) as reader:
        assert reader.results().num_rows == 1, "reading is free"
    ledger.close()
    opened(tmp_path)[0].close()


HOLDER = "import sys, time; from pathlib import Path; from tests.support.ledger_cases import opened; "
HOLDER += "opened(Path(sys.argv[1])); print('open', flush=True); time.sleep(600)"


def test_a_run_that_was_killed_holds_nothing(tmp_path: Path) -> None:
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, tmp_path], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert holder.stdout and holder.stdout.readline() == "open\n"
    assert f"(process {holder.pid})" in sentence(tmp_path)
    holder.send_signal(signal.SIGKILL)
    holder.communicate()
    opened(tmp_path)[0].close()


def test_a_child_that_lives_on_holds_nothing(tmp_path: Path) -> None:
    ledger, _ = opened(tmp_path)
    with subprocess.Popen(["sleep", "60"], pass_fds=[ledger._lock._descriptor]) as child:
        ledger.close()
        opened(tmp_path)[0].close()
        child.kill()


def test_of_many_that_start_at_once_one_writes(tmp_path: Path) -> None:
    ends: list[Ledger | InputError] = []
    gate = threading.Barrier(8)

    def start() -> None:
        gate.wait()
        try:
            ends.append(Ledger(tmp_path, spec()))
        except InputError as error:
            ends.append(error)

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (writer,) = (e for e in ends if isinstance(e, Ledger))
    writer.close()
    assert len(ends) == 8


def test_another_specification_is_told_what_is_other(tmp_path: Path) -> None:
    opened(tmp_path)[0].close()
    said = sentence(tmp_path, {**spec(), "seed": 2, "topic": "x"})
    assert "belongs to another specification (other: seed, topic); go back to that specification" in said
    opened(tmp_path)[0].close()


def test_a_specification_without_one_spelling_is_refused(tmp_path: Path) -> None:
    assert "rate: 0.5 has no canonical form" in sentence(tmp_path, {"rate": 0.5})


def test_a_ledger_of_another_format(tmp_path: Path) -> None:
    opened(tmp_path)[0].close()
    with sqlite3.connect(tmp_path / "ledger.sqlite") as tables:
        tables.execute("pragma user_version = 9")
    tables.close()
    assert "a ledger of format 9 was given, and format 1 was expected" in sentence(tmp_path)
    with pytest.raises(InputError, match="format 9"):
        LedgerReader(tmp_path)


def test_a_file_that_is_no_ledger(tmp_path: Path) -> None:
    (tmp_path / "ledger.sqlite").write_text("Dear diary" * 100)
    assert "this is no ledger; move the file away" in sentence(tmp_path)


def test_a_damaged_ledger(tmp_path: Path) -> None:
    ledger, due = opened(tmp_path)
    ledger.record([result(s, s.slot_id) for s in due])
    ledger.close()
    file = tmp_path / "ledger.sqlite"
    whole = file.read_bytes()
    file.write_bytes(whole[:4096] + b"\xff" * (len(whole) - 4096))
    assert "the file is damaged; restore it" in sentence(tmp_path)


def test_damage_that_is_met_while_reading(tmp_path: Path) -> None:
    ledger, due = opened(tmp_path, {"a": {"yes": 2000}})
    ledger.record([result(s, s.slot_id) for s in due])
    pages = [
        row[0]
        for row in ledger._reading.execute(
            "select pageno from dbstat where name like '%content_id%' or name = 'sqlite_autoindex_result_2'"
        )
    ]
    ledger.close()
    file = tmp_path / "ledger.sqlite"
    whole = file.read_bytes()
    for page in pages[-1:]:
        file.write_bytes(whole[: 4096 * (page - 1)] + b"\xff" * 4096 + whole[4096 * page :])
        with LedgerReader(tmp_path) as reader, pytest.raises(InputError, match="the file is damaged; restore it"):
            reader.digest()


def test_a_reader_of_nothing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no ledger; run the generation first"):
        LedgerReader(tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_ledger_whose_run_was_killed_before_it_began(tmp_path: Path) -> None:
    ledger, _ = opened(tmp_path)
    ledger._writing.execute("delete from run")
    ledger.close()
    with LedgerReader(tmp_path) as reader, pytest.raises(InputError, match="no run has begun in this ledger"):
        reader.spec()
    opened(tmp_path)[0].close()


def test_a_ledger_whose_run_was_killed_while_it_made_the_file(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "ledger.sqlite") as tables:
        tables.execute("pragma journal_mode = wal")
    tables.close()
    with pytest.raises(InputError, match="no run has begun in this ledger"):
        LedgerReader(tmp_path)
    opened(tmp_path)[0].close()


def test_a_ledger_that_nobody_closed_is_held_to_the_end(tmp_path: Path) -> None:
    """It may still have something to write."""
    command = [sys.executable, "-c", HOLDER.replace("time.sleep(600)", "opened(Path(sys.argv[1]))"), str(tmp_path)]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stderr
    assert "InputError" in said and "writes this ledger; wait for its end" in said


def test_closing_twice_is_closing_once(tmp_path: Path) -> None:
    ledger, _ = opened(tmp_path)
    with ledger:
        ledger.close()
    opened(tmp_path)[0].close()


def test_a_reader_writes_nothing(tmp_path: Path) -> None:
    opened(tmp_path)[0].close()
    with LedgerReader(tmp_path) as reader, pytest.raises(sqlite3.OperationalError):
        reader._reading.execute("delete from slot")


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "no ledger can be kept there (Not a directory); set CREDENCE_HOME" in sentence(tmp_path / "file" / "x")


FULL = """
import resource, signal, sys
from pathlib import Path
from tests.support.ledger_cases import answered, opened, result
from credence.core.errors import InputError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
ledger, due = opened(Path(sys.argv[1]), {"a": {"yes": 2000}})
if sys.argv[2] != "mount":
    resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))
try:
    for slot in due:
        ledger.record([result(slot, slot.slot_id)], [answered(slot)])
        kept = slot.slot_id
        print(kept)
except InputError as error:
    print("refused:", error)
    assert ledger.results().num_rows
ledger.close()
"""


def fill_up(folder: Path, how: str) -> tuple[list[str], str]:
    """Which rows were acknowledged before the disk was full, and what was said then."""
    command = [sys.executable, "-c", FULL, str(folder), how]
    lines = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    assert lines[-1].startswith("refused: ") and "\n" not in lines[-1]
    return lines[:-1], lines[-1]


def goes_on(folder: Path, kept: list[str]) -> None:
    ledger, due = opened(folder, {"a": {"yes": 2000}})
    with ledger:
        assert set(kept) == set(ledger.results()["slot_id"].to_pylist()), "all that was acknowledged, and no more"
        assert ledger.attempts().num_rows == len(kept)
        ledger.record([result(s, s.slot_id) for s in due])
        assert ledger.results().num_rows == 2000


def test_a_disk_that_refuses_loses_nothing(tmp_path: Path) -> None:
    kept, said = fill_up(tmp_path, "limit")
    assert "what was recorded before is safe" in said and "run the same command again" in said
    assert 0 < len(kept) < 2000
    goes_on(tmp_path, kept)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can mount a small disk")
def test_a_full_disk_loses_nothing(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "small", disk], capture_output=True, check=False
    ).returncode:
        pytest.skip("no small disk can be mounted here")
    try:
        kept, said = fill_up(disk, "mount")
        assert "the disk is full; what was recorded before is safe: free some space and run the same" in said
        with pytest.raises(OSError, match="No space"):
            (disk / "more").write_bytes(bytes(2 << 20))
        assert "no ledger can be kept there (No space left on device)" in sentence(disk / "new")
        subprocess.run(["mount", "-o", "remount,size=32m", disk], check=True)
        goes_on(disk, kept)
    finally:
        subprocess.run(["umount", disk], check=True)

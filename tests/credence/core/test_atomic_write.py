"""A file is the one of before or the new one, whatever happens while it is written."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bentos.rollout import desired_state, worker_status
from bentos.rollout.desired_state import DesiredState
from credence.core.atomic_write import TEMP_SUFFIX, atomic_write, atomic_write_text, remove_stale_temp_files
from credence.core.paths import monitoring_folder, serving_folder
from steps.monitoring.raise_alerts import LATEST, publish
from tests.support.monitoring_cases import said, table

ROOT = Path(__file__).parents[3]


def names(folder: Path) -> list[str]:
    return sorted(f.name for f in folder.iterdir())


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """What was synced and renamed, in order."""
    found: list[tuple[str, str]] = []
    sync, rename = os.fsync, Path.replace

    def synced(descriptor: int) -> None:
        found.append(("sync", os.readlink(f"/proc/self/fd/{descriptor}")))
        sync(descriptor)

    def renamed(draft: Path, file: Path) -> Path:
        found.append((str(draft), str(file)))
        return rename(draft, file)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(Path, "replace", renamed)
    return found


def is_whole(file: Path, done: list[tuple[str, str]]) -> bool:
    """The draft was on the disk before it was renamed, and its folder after."""
    (_, written), (draft, place), (_, folder) = done[-3:]
    return (written, place, folder) == (draft, str(file), str(file.parent)) and Path(draft).name.endswith(TEMP_SUFFIX)


def test_a_draft_is_on_the_disk_before_it_takes_its_place(tmp_path: Path, done: list[tuple[str, str]]) -> None:
    file = tmp_path / "file"
    file.write_text("before")
    with atomic_write(file) as draft:
        draft.write_text("after")
        assert file.read_text() == "before"
    assert is_whole(file, done) and len(done) == 3
    assert (names(tmp_path), file.read_text()) == (["file"], "after")


def test_a_draft_may_lie_in_another_folder(tmp_path: Path) -> None:
    (tmp_path / "drafts").mkdir()
    with atomic_write(tmp_path / "file", tmp_path / "drafts") as draft:
        draft.write_text("after")
        assert draft.parent == tmp_path / "drafts"
    assert (names(tmp_path), names(tmp_path / "drafts")) == (["drafts", "file"], [])


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_what_fails_half_way_leaves_the_file_of_before(tmp_path: Path, error: type[BaseException]) -> None:
    def fail() -> None:
        with atomic_write(tmp_path / "file") as draft:
            draft.write_text("half")
            raise error

    atomic_write_text(tmp_path / "file", "before")
    with pytest.raises(error):
        fail()
    assert (names(tmp_path), (tmp_path / "file").read_text()) == (["file"], "before")


KILLED = """
import os, signal, sys
from pathlib import Path
from credence.core.atomic_write import atomic_write_text
left, sync = int(sys.argv[2]), os.fsync
def fsync(descriptor):
    global left
    left -= 1
    sync(descriptor) if left else os.kill(os.getpid(), signal.SIGKILL)
os.fsync = fsync
atomic_write_text(Path(sys.argv[1]), "after")
"""


@pytest.mark.parametrize(("at", "text"), [(1, "before"), (2, "after")])
def test_a_kill_leaves_one_of_both_and_its_draft_goes_in_time(tmp_path: Path, at: int, text: str) -> None:
    file = tmp_path / "file"
    file.write_text("before")
    command = [sys.executable, "-c", KILLED, str(file), str(at)]
    assert subprocess.run(command, cwd=ROOT, check=False).returncode == -signal.SIGKILL
    assert file.read_text() == text
    drafts = list(tmp_path.glob(f".file.*{TEMP_SUFFIX}"))
    assert len(drafts) == 2 - at
    atomic_write_text(file, "later")
    assert all(d.exists() for d in drafts), "it may be another process's, at work"
    for draft in drafts:
        os.utime(draft, (0, 0))
    atomic_write_text(file, "last")
    assert (names(tmp_path), file.read_text()) == (["file"], "last")


def test_only_stale_drafts_of_the_file_are_removed(tmp_path: Path) -> None:
    mine, other, plain = (tmp_path / name for name in (".a[1].0.tmp", ".b.0.tmp", "a[1].tmp"))
    for file in (mine, other, plain):
        file.write_text("")
        os.utime(file, (0, 0))
    remove_stale_temp_files(tmp_path, "a[1]")
    assert names(tmp_path) == [".b.0.tmp", "a[1].tmp"]
    remove_stale_temp_files(tmp_path)
    assert names(tmp_path) == ["a[1].tmp"]


def wish() -> Path:
    serving_folder("whole").mkdir(parents=True, exist_ok=True)
    desired_state.write_desired_state("whole", DesiredState(edition=1))
    return serving_folder("whole") / desired_state.FILE


def report() -> Path:
    worker_status.write_status("whole", mine := worker_status.own_status(0))
    return serving_folder("whole") / worker_status.FOLDER / f"{mine.pid}-{mine.started}.json"


def verdict() -> Path:
    publish(health := said(table(200)))
    return monitoring_folder(health.task) / LATEST


@pytest.mark.parametrize("write", [wish, report, verdict])
def test_what_servers_read_survives_a_power_cut(write: Callable[[], Path], done: list[tuple[str, str]]) -> None:
    file = write()
    assert is_whole(file, done)
    assert not list(file.parent.glob(f"*{TEMP_SUFFIX}"))

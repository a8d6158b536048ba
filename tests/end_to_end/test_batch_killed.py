"""A batch job that is killed again and again ends with the bytes of one that nobody disturbed."""

import os
import random
import shutil
import signal
import time
from pathlib import Path

import pandas as pd
import psutil  # type: ignore[import-untyped]
import pytest

from credence.production.batch import BatchJob
from tests.support.batch_cases import done, job, rows, saved, start, written

LARGE = 100_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved(tmp_path_factory.mktemp("predictor") / "saved")


def parts(wanted: BatchJob) -> int:
    return len(list(Path(f"{wanted.out}.parts").glob("[0-9]*.parquet")))


def killed_while_scoring(wanted: BatchJob, folder: Path, dice: random.Random, patience: float) -> bool:
    """SIGKILL to all of a job's processes at some moment after its next part; False where it ended before."""
    before, victim = parts(wanted), start(wanted, folder)
    while victim.poll() is None and parts(wanted) <= before:
        time.sleep(0.002)
    time.sleep(dice.uniform(0, patience))
    ended = victim.poll() is not None
    if not ended:
        os.killpg(victim.pid, signal.SIGKILL)
    said = victim.communicate()
    assert not ended or victim.returncode == 0, said
    return not ended


def finished(wanted: BatchJob, folder: Path) -> bytes:
    last = start(wanted, folder)
    said = last.communicate()
    assert last.returncode == 0, said
    return Path(wanted.out).read_bytes()


def test_three_kills_change_no_byte(folder: Path, tmp_path: Path) -> None:
    source, dice = written("csv", rows(400), tmp_path), random.Random(0)
    undisturbed = done(job(source, tmp_path / "a.csv", chunk_rows=5), folder)
    wanted = job(source, tmp_path / "b.csv", chunk_rows=5)
    kills = sum(killed_while_scoring(wanted, folder, dice, patience=0.05) for _ in range(3))
    assert kills == 3
    assert 3 <= parts(wanted) < 80
    assert finished(wanted, folder) == undisturbed
    assert sorted(f.name for f in tmp_path.iterdir()) == ["a.csv", "b.csv", "rows.csv"]


@pytest.mark.slow
@pytest.mark.parametrize("suffix", ["parquet", "csv"])
def test_ten_kills_at_random_moments_of_several_processes(folder: Path, tmp_path: Path, suffix: str) -> None:
    table = pd.concat([rows(1000)] * (LARGE // 1000), ignore_index=True)
    source, dice = written("csv", table, tmp_path), random.Random(1)
    more = {"chunk_rows": 1000, "processes": 2}
    undisturbed = done(job(source, tmp_path / f"a.{suffix}", **more), folder)
    wanted = job(source, tmp_path / f"b.{suffix}", **more)
    kills = sum(killed_while_scoring(wanted, folder, dice, patience=0.3) for _ in range(10))
    assert kills == 10
    assert finished(wanted, folder) == undisturbed
    shutil.rmtree(tmp_path)


@pytest.mark.slow
def test_processes_end_with_the_one_that_started_them(folder: Path, tmp_path: Path) -> None:
    wanted = job(written("csv", rows(4000), tmp_path), tmp_path / "out.csv", chunk_rows=5, processes=2)
    victim = start(wanted, folder)
    while victim.poll() is None and not parts(wanted):
        time.sleep(0.01)
    family = psutil.Process(victim.pid).children(recursive=True)
    assert len(family) >= 2
    victim.kill()
    victim.communicate()
    assert not psutil.wait_procs(family, timeout=20)[1]

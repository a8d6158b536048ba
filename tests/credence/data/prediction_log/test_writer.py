"""The writer: what was put is written once, what could not be is counted, and nothing stops it."""

import logging
import multiprocessing
import os
import shutil
import threading
import time
from datetime import timedelta
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from credence.core.atomic_write import STALE_TEMP_SECONDS
from credence.core.errors import InputError
from credence.data.prediction_log import active_segment
from credence.data.prediction_log.active_segment import ActiveSegment
from credence.data.prediction_log.closed_segments import compact_and_expire
from credence.data.prediction_log.jsonl import TORN, encode_record
from credence.data.prediction_log.reader import Reading, read_feedback, read_predictions
from credence.data.prediction_log.schema import FEEDBACK, PREDICTION, LogRecord
from credence.data.prediction_log.writer import LogWriter
from tests.support.log_cases import eventually, record, truth

DAY = timedelta(days=1)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "log/predictions"


def writer(folder: Path, **options: object) -> LogWriter:
    return LogWriter(folder, PREDICTION, **options)  # type: ignore[arg-type]


def read(folder: Path) -> Reading:
    return read_predictions(folder.parent)


def ids(folder: Path) -> list[str]:
    return list(read(folder).frame["request_id"])


def names(folder: Path) -> list[str]:
    return sorted(f.suffix for f in folder.iterdir())


def left_behind(folder: Path, *records: LogRecord, tail: bytes = b"") -> Path:
    """The segment of a writer that was killed."""
    segment = ActiveSegment.open(folder)
    segment.write(b"".join(map(encode_record, records)) + tail)
    segment.close()
    return segment.path


def put(log: LogWriter, *numbers: int) -> list[bool]:
    return [log.put(lambda i=i: [record(i)]) for i in numbers]  # type: ignore[misc]


def test_what_was_put_is_soon_readable_and_closing_makes_it_parquet(folder: Path) -> None:
    with writer(folder) as log:
        assert put(log, 0, 1, 2) == [True] * 3
        assert eventually(lambda: ids(folder) == ["r0", "r1", "r2"])
        assert names(folder) == [".jsonl"]
    assert names(folder) == [".parquet"]
    assert ids(folder) == ["r0", "r1", "r2"]


def test_a_writer_that_wrote_nothing_leaves_no_file(folder: Path) -> None:
    with writer(folder):
        pass
    assert names(folder) == []


def test_appended_truths_are_there_when_append_returns(folder: Path) -> None:
    folder = folder.with_name("feedback")
    with LogWriter(folder, FEEDBACK) as log:
        for i in range(20):
            log.append([truth(i), truth(i, row=1)])
            assert len(read_feedback(folder.parent).frame) == 2 * (i + 1)


def test_pressure_drops_and_counts_and_never_waits(folder: Path) -> None:
    """While the writer's thread is stuck, put returns at once; what it refused is told in the log itself."""
    stuck, free = threading.Event(), threading.Event()

    def hang() -> list[LogRecord]:
        stuck.set()
        free.wait()
        return [record(0)]

    log = writer(folder, most_waiting=3)
    assert log.put(hang)
    stuck.wait()
    assert put(log, 1, 2, 3, 4, 5) == [True, True, True, False, False]
    assert not log.put(lambda: [record(i) for i in range(6, 16)], rows=10)
    assert log.dropped == 12
    free.set()
    log.close()
    found = read(folder)
    assert (list(found.frame["request_id"]), found.dropped) == (["r0", "r1", "r2", "r3"], 12)


def test_files_are_closed_also_while_more_keeps_coming(folder: Path) -> None:
    """The queue is never empty: every record that is made puts the next."""
    log = writer(folder, segment_bytes=1)

    def more(i: int) -> list[LogRecord]:
        if not any(folder.glob("*.parquet")):
            log.put(lambda: more(i + 1))
        return [record(i, inputs="x" * 100_000)]

    log.put(lambda: more(0))
    assert eventually(lambda: any(folder.glob("*.parquet")))
    log.close()
    assert read(folder).dropped == 0


def test_nobody_else_reads_the_rows(folder: Path) -> None:
    with writer(folder) as log:
        log.append([record(0)])
        assert [f.stat().st_mode & 0o007 for f in folder.iterdir()] == [0]
    assert [f.stat().st_mode & 0o007 for f in folder.iterdir()] == [0]


def test_a_batch_larger_than_the_bound_is_taken_whole(folder: Path) -> None:
    with writer(folder, most_waiting=10) as log:
        assert log.put(lambda: [record(i) for i in range(500)], rows=500)
    assert len(ids(folder)) == 500


def test_records_that_cannot_be_made_are_counted_and_the_next_are_written(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with writer(folder) as log:
        log.put(lambda: [record(1 // 0)], rows=4)
        log.put(lambda: [record(0, group="\ud800")], rows=1)
        put(log, 7)
    found = read(folder)
    assert (list(found.frame["request_id"]), found.dropped, log.dropped) == (["r7"], 5, 5)
    assert "ZeroDivisionError" in caplog.text and "UnicodeEncodeError" in caplog.text


@pytest.mark.parametrize("limit", [{"segment_bytes": 2000}, {"segment_seconds": 0.0}])
def test_segments_are_closed_by_size_and_by_age(folder: Path, limit: dict[str, float]) -> None:
    with writer(folder, **limit) as log:
        for i in range(3):
            log.put(lambda i=i: [record(j) for j in range(100 * i, 100 * i + 100)], rows=100)  # type: ignore[misc]
            assert eventually(lambda i=i: names(folder).count(".parquet") == i + 1)  # type: ignore[misc]
    assert names(folder) == [".parquet"] * 3
    assert ids(folder) == [f"r{i}" for i in range(300)]


def test_closed_segments_are_plain_parquet_also_beside_open_ones(folder: Path) -> None:
    with writer(folder) as log:
        put(log, *range(5))
    with writer(folder) as log:
        put(log, 5)
        assert eventually(lambda: len(ids(folder)) == 6)
        plain = pd.read_parquet(folder)
        assert list(plain["request_id"]) == [f"r{i}" for i in range(5)]
        assert list(plain.columns) == PREDICTION.names
        assert pq.read_schema(next(folder.glob("*.parquet"))).remove_metadata().equals(PREDICTION)


def test_the_next_writer_closes_what_a_killed_one_left(folder: Path) -> None:
    path = left_behind(folder, record(0), record(1), tail=encode_record(record(2))[:40])
    open_yet = read(folder)
    with writer(folder):
        assert eventually(lambda: names(folder) == [".parquet"])
    closed = read(folder)
    for found in (open_yet, closed):
        assert list(found.frame["request_id"]) == ["r0", "r1"]
        assert [(s.count, s.why) for s in found.skipped] == [(1, TORN)]
        assert path.stem.removeprefix("_") in found.skipped[0].file


def test_the_segment_of_a_living_writer_is_left_alone(folder: Path) -> None:
    segment = ActiveSegment.open(folder)
    segment.write(encode_record(record(0)) + b'{"half')
    compact_and_expire(folder, PREDICTION)
    assert names(folder) == [".jsonl"]
    assert (ids(folder), read(folder).skipped) == (["r0"], [])
    segment.close()
    compact_and_expire(folder, PREDICTION)
    assert names(folder) == [".parquet"]


def test_a_segment_that_is_tidied_away_before_it_is_locked_is_not_written(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the making of the file and its lock another process may take it for a dead one's."""
    real, tidied = active_segment.try_lock, list[Path]()

    def locked(descriptor: int) -> bool:
        if not tidied:
            tidied.extend(folder.iterdir())
            compact_and_expire(folder, PREDICTION)
        return real(descriptor)

    monkeypatch.setattr(active_segment, "try_lock", locked)
    with writer(folder) as log:
        log.append([record(0)])
        assert len(tidied) == 1 and not tidied[0].exists()
        assert ids(folder) == ["r0"]


def test_a_crash_while_closing_counts_no_record_twice(folder: Path, tmp_path: Path) -> None:
    path = left_behind(folder, record(0), record(1))
    kept = shutil.copy(path, tmp_path / "kept")
    compact_and_expire(folder, PREDICTION)
    shutil.copy(kept, path)
    assert names(folder) == [".jsonl", ".parquet"]
    assert ids(folder) == ["r0", "r1"]
    compact_and_expire(folder, PREDICTION)
    assert names(folder) == [".parquet"]
    assert ids(folder) == ["r0", "r1"]


def test_lines_make_good_for_a_damaged_parquet_file(folder: Path, tmp_path: Path) -> None:
    path = left_behind(folder, record(0))
    kept = shutil.copy(path, tmp_path / "kept")
    compact_and_expire(folder, PREDICTION)
    closed = next(folder.glob("*.parquet"))
    closed.write_bytes(closed.read_bytes()[:-20])
    shutil.copy(kept, path)
    assert ids(folder) == ["r0"]
    assert [s.file for s in read(folder).skipped] == [str(closed)]
    compact_and_expire(folder, PREDICTION)
    assert (ids(folder), read(folder).skipped, names(folder)) == (["r0"], [], [".parquet"])


def test_old_segments_go_and_young_ones_stay(folder: Path) -> None:
    for i in range(3):
        left_behind(folder, record(i))
        compact_and_expire(folder, PREDICTION)
    oldest = min(folder.glob("*.parquet"), key=lambda f: pq.read_table(f)["request_id"][0].as_py())
    os.utime(oldest, (0, time.time() - 2 * DAY.total_seconds()))
    writer(folder).close()
    assert ids(folder) == ["r0", "r1", "r2"]
    writer(folder, keep=3 * DAY).close()
    assert ids(folder) == ["r0", "r1", "r2"]
    writer(folder, keep=DAY).close()
    assert ids(folder) == ["r1", "r2"]


def test_drafts_of_the_dead_go_and_those_of_the_living_stay(folder: Path) -> None:
    folder.mkdir(parents=True)
    dead, living = folder / ".a.0.tmp", folder / ".b.0.tmp"
    for file in (dead, living):
        file.write_text("PAR1")
    os.utime(dead, (0, time.time() - 2 * STALE_TEMP_SECONDS))
    compact_and_expire(folder, PREDICTION)
    assert list(folder.iterdir()) == [living]
    assert read(folder).skipped == []


def test_a_log_that_is_removed_under_the_writer_is_begun_again(folder: Path) -> None:
    with writer(folder) as log:
        log.append([record(0)])
        shutil.rmtree(folder)
        log.append([record(1)])
        assert ids(folder) == ["r1"]
    assert ids(folder) == ["r1"]


def test_a_folder_that_cannot_be_written_is_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("a file in the way")
    with pytest.raises(InputError, match=r"no log can be kept there .*; set CREDENCE_HOME"):
        writer(tmp_path / "log/predictions")


def test_a_closed_writer_drops_and_refuses(folder: Path) -> None:
    log = writer(folder)
    log.close()
    log.close()
    assert put(log, 0) == [False]
    with pytest.raises(InputError, match="stopping"):
        log.append([record(0)])
    assert log.dropped == 1


def test_many_threads_share_one_writer(folder: Path) -> None:
    def work(k: int) -> None:
        for i in range(100):
            if i % 10 == k:
                log.append([record(1000 * k + i)])
            else:
                put(log, 1000 * k + i)

    with writer(folder, segment_bytes=5000) as log:
        threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(ids(folder)) == sorted(f"r{1000 * k + i}" for k in range(8) for i in range(100))


def _full(folder: Path) -> None:
    """In a process of its own: a file may not grow beyond 20,000 bytes for a while, as on a disk that is full."""
    import resource

    with writer(folder) as log:
        log.append([record(0)])
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))
        for i in range(1, 101):
            put(log, i)
        assert eventually(lambda: log.dropped > 0)
        with pytest.raises(InputError, match=r"could not be written .*; make room"):
            log.append([record(500, inputs="x" * 20_000)])
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        log.append([record(501)])
        put(log, 502)
    found = read(folder)
    there = set(found.frame["request_id"])
    assert {"r0", "r501", "r502"} <= there and "r500" not in there
    assert found.skipped == []
    assert len(found.frame) == len(there) == 103 - log.dropped
    assert found.dropped == log.dropped


def test_a_full_disk_costs_what_did_not_fit_and_no_more(folder: Path) -> None:
    process = multiprocessing.get_context("spawn").Process(target=_full, args=(folder,))
    process.start()
    process.join()
    assert process.exitcode == 0


def test_trouble_and_recovery_are_told_once(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    with writer(folder) as log:
        folder.rmdir()
        folder.write_text("a file in the way")
        put(log, 0)
        assert eventually(lambda: log.dropped == 1)
        put(log, 1)
        assert eventually(lambda: log.dropped == 2)
        folder.unlink()
        put(log, 2)
        assert eventually(lambda: ids(folder) == ["r2"])
    assert [r.levelname for r in caplog.records] == ["ERROR", "WARNING"]
    assert read(folder).dropped == 2

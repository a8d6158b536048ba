"""Reading the log: windows, damage, files that change meanwhile; and the truth beside the answers."""

import os
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from credence.data.prediction_log import reader
from credence.data.prediction_log.active_segment import ActiveSegment
from credence.data.prediction_log.closed_segments import compact_and_expire, read_open, write_segment
from credence.data.prediction_log.jsonl import NOT_A_RECORD, encode_record
from credence.data.prediction_log.reader import Joined, join_feedback, latest_feedback, read_feedback, read_predictions
from credence.data.prediction_log.schema import FEEDBACK, PREDICTION, LogRecord, records_table
from credence.data.prediction_log.writer import LogWriter
from tests.support.log_cases import DAWN, record, truth

ANSWERS = ("no", "yes")


def logged(task: Path, *parts: list[LogRecord]) -> Path:
    """A log of one closed segment per part, the last of them still open."""
    folder = task / "predictions"
    for i, part in enumerate(parts[:-1]):
        write_segment(folder, f"part-{i}", records_table(part, PREDICTION))
    segment = ActiveSegment.open(folder)
    segment.write(b"".join(map(encode_record, parts[-1])))
    segment.close()
    return folder


def ids(task: Path, **window: Any) -> list[str]:
    return list(read_predictions(task, **window).frame["request_id"])


class TestReading:
    def test_no_log_is_an_empty_frame_with_all_columns(self, tmp_path: Path) -> None:
        for found, schema in ((read_predictions(tmp_path), PREDICTION), (read_feedback(tmp_path), FEEDBACK)):
            assert list(found.frame.columns) == schema.names
            assert (len(found.frame), found.skipped, found.dropped) == (0, [], 0)

    def test_a_record_keeps_its_types(self, tmp_path: Path) -> None:
        logged(tmp_path, [record(0, reasons=["a", "b"], low=0.1)], [record(1)])
        frame = read_predictions(tmp_path).frame
        assert str(frame["time"].dtype) == "datetime64[us, UTC]"
        assert frame["reasons"].tolist() == [["a", "b"], []] and frame["set"].tolist() == [["no"], ["no"]]
        assert frame["delivered"].tolist() == [True, True] and frame["row"].tolist() == [0, 0]
        assert frame["low"].tolist()[0] == 0.1 and np.isnan(frame["low"].tolist()[1])

    def test_a_window_takes_its_beginning_and_not_its_end(self, tmp_path: Path) -> None:
        logged(tmp_path, [record(3), record(1)], [record(0), record(2), record(4)])
        at = [DAWN + timedelta(seconds=i) for i in range(6)]
        assert ids(tmp_path) == [f"r{i}" for i in range(5)]
        assert ids(tmp_path, since=at[1], until=at[4]) == ["r1", "r2", "r3"]
        assert ids(tmp_path, since=at[3].replace(tzinfo=None)) == ["r3", "r4"]
        assert ids(tmp_path, until=at[2]) == ["r0", "r1"]
        assert ids(tmp_path, since=at[5]) == []

    def test_only_the_columns_asked_for_and_the_time(self, tmp_path: Path) -> None:
        logged(tmp_path, [record(0)], [record(1)])
        frame = read_predictions(tmp_path, columns=["label", "set"]).frame
        assert list(frame.columns) == ["time", "label", "set"] and len(frame) == 2

    def test_files_from_before_the_window_are_not_opened(self, tmp_path: Path) -> None:
        folder = logged(tmp_path, [record(0)], [record(1)])
        (folder / "part-0.parquet").write_bytes(b"damaged")
        os.utime(folder / "part-0.parquet", (0, (DAWN - timedelta(days=1)).timestamp()))
        assert read_predictions(tmp_path, since=DAWN).skipped == []
        assert len(read_predictions(tmp_path).skipped) == 1

    def test_records_from_the_future_are_not_passed_over(self, tmp_path: Path) -> None:
        """Simulations and imports bring their own clock."""
        soon = DAWN + timedelta(days=36500)
        write_segment(tmp_path / "predictions", "later", records_table([record(0, time=soon)], PREDICTION))
        assert ids(tmp_path, since=soon) == ["r0"]

    def test_a_segment_of_the_same_name_replaces_the_one_before(self, tmp_path: Path) -> None:
        for i in (1, 2):
            write_segment(tmp_path / "predictions", "batch-1", records_table([record(i)], PREDICTION))
        assert ids(tmp_path) == ["r2"]

    @pytest.mark.parametrize(
        ("content", "says"),
        [(b"", "size is 0"), (b"PAR1", "could not be read"), (b"{}\n" * 20, "could not be read")],
    )
    def test_damaged_files_are_named_and_the_others_read(self, tmp_path: Path, content: bytes, says: str) -> None:
        folder = logged(tmp_path, [record(0)], [record(1)], [record(2)])
        (folder / "part-0.parquet").write_bytes(content)
        found = read_predictions(tmp_path)
        assert list(found.frame["request_id"]) == ["r1", "r2"]
        assert [(Path(s.file).name, s.count) for s in found.skipped] == [("part-0.parquet", 1)]
        assert says in found.skipped[0].why and "\n" not in found.skipped[0].why

    def test_a_parquet_file_of_something_else_is_named(self, tmp_path: Path) -> None:
        folder = logged(tmp_path, [record(0)])
        pd.DataFrame({"time": [DAWN], "x": [1]}).to_parquet(folder / "mine.parquet")
        pd.DataFrame({n: ["?"] for n in PREDICTION.names}).to_parquet(folder / "words.parquet")
        found = read_predictions(tmp_path)
        assert list(found.frame["request_id"]) == ["r0"]
        assert sorted(Path(s.file).name for s in found.skipped) == ["mine.parquet", "words.parquet"]

    def test_broken_lines_are_counted_by_file(self, tmp_path: Path) -> None:
        folder = logged(tmp_path, [record(0)])
        file = next(folder.glob("*.jsonl"))
        file.write_bytes(b"what?\n" + file.read_bytes() + b"{}\n")
        found = read_predictions(tmp_path)
        assert [(s.file, s.count, s.why) for s in found.skipped] == [(str(file), 2, NOT_A_RECORD)]
        assert list(found.frame["request_id"]) == ["r0"]

    def test_a_changed_byte_never_ends_the_reading(self, tmp_path: Path) -> None:
        """Data pages carry checksums; a change in what describes them may go unseen, but must not end in an error."""
        folder = logged(tmp_path, [record(i, inputs=f'{{"x": {i}}}') for i in range(50)], [record(99)])
        file = folder / "part-0.parquet"
        whole, expected = file.read_bytes(), read_predictions(tmp_path).frame
        told = 0
        for place in range(0, len(whole), 97):
            file.write_bytes(whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :])
            found = read_predictions(tmp_path)
            told += bool(found.skipped)
            assert "r99" in set(found.frame["request_id"])
            if found.skipped:
                assert list(found.frame["request_id"]) == ["r99"]
            elif place < len(whole) // 3:
                assert found.frame.equals(expected)
        assert told > 0

    def test_a_segment_that_is_closed_before_it_is_opened_is_read(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        folder = logged(tmp_path, [record(0)])

        def closed_meanwhile(file: Path, schema: Any) -> Any:
            compact_and_expire(folder, PREDICTION)
            return read_open(file, schema)

        monkeypatch.setattr(reader, "read_open", closed_meanwhile)
        assert ids(tmp_path) == ["r0"]
        assert not list(folder.glob("*.jsonl"))

    def test_a_segment_that_a_listing_misses_while_it_is_closed_is_read(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A listing may come to the place of the new name before it is there, and to that of the old one after."""
        folder, real, listings = logged(tmp_path, [record(0)]), Path.glob, [0]

        def unlucky(self: Path, pattern: str) -> Any:
            listings[0] += 1
            return iter(()) if listings[0] == 1 else real(self, pattern)

        monkeypatch.setattr(Path, "glob", unlucky)
        assert ids(tmp_path) == ["r0"]
        assert folder.is_dir() and listings[0] == 2

    def test_reading_while_writers_write_and_rotate(self, tmp_path: Path) -> None:
        """Whatever was acknowledged before the reading began is read, once, however the files move meanwhile."""
        folder, acknowledged, done = tmp_path / "predictions", [0], threading.Event()

        def work() -> None:
            with LogWriter(folder, PREDICTION, segment_bytes=1500) as log:
                for i in range(400):
                    log.append([record(i)])
                    log.put(lambda i=i: [record(1000 + i)])  # type: ignore[misc]
                    acknowledged[0] = i + 1
            done.set()

        thread = threading.Thread(target=work)
        thread.start()
        while not done.is_set():
            before = acknowledged[0]
            found = read_predictions(tmp_path)
            seen = list(found.frame["request_id"])
            assert len(seen) == len(set(seen)) and found.skipped == []
            assert {f"r{i}" for i in range(before)} <= set(seen)
        thread.join()
        assert len(ids(tmp_path)) == 800
        assert len(list(folder.glob("*.parquet"))) > 3


def frame(records: list[LogRecord], of: Any = PREDICTION) -> pd.DataFrame:
    return records_table(records, of).to_pandas()


def join(predictions: list[LogRecord], feedback: list[LogRecord]) -> Joined:
    return join_feedback(frame(predictions), frame(feedback, FEEDBACK), ANSWERS)


def counts(found: Joined) -> dict[str, int]:
    return {k: v for k, v in vars(found).items() if k != "frame" and v}


class TestJoining:
    def test_late_and_unknown(self) -> None:
        found = join([record(i) for i in range(3)], [truth(0, "yes"), truth(2, "no", after=10**7), truth(9)])
        assert found.frame["truth"].fillna(-1).tolist() == [1, -1, 0]
        assert found.frame["told"].tolist()[::2] == ["yes", "no"]
        assert found.frame["answered_at"][2] == DAWN + timedelta(seconds=2 + 10**7)
        assert counts(found) == {"labelled": 2, "unknown": 1}

    def test_the_latest_label_wins_whatever_the_order(self) -> None:
        told = [truth(0, "yes", 30), truth(0, "no", 10), truth(0, "no", 20), truth(0, "yes", 40)]
        found = join([record(0)], told)
        assert found.frame["truth"].tolist() == [1]
        assert counts(found) == {"labelled": 1, "repeated": 2, "contradictory": 1}

    def test_every_row_of_a_batch_has_its_own_truth(self) -> None:
        found = join([record(0, row=i) for i in range(3)], [truth(0, "yes", row=2), truth(0, "no", row=0)])
        assert found.frame["truth"].fillna(-1).tolist() == [0, -1, 1]

    def test_champion_and_challenger_share_the_truth(self) -> None:
        """Also where the challenger reads other columns of the same row."""
        both = [record(0), record(0, role="challenger", version="case:2", delivered=False, inputs='{"x": 0, "y": 1}')]
        found = join(both, [truth(0)])
        assert found.frame["truth"].tolist() == [1, 1]
        assert counts(found) == {"labelled": 2}

    def test_an_id_that_stands_for_different_rows_tells_nothing(self) -> None:
        """A caller that always sends the same id; a retry of the same row under it is no such case."""
        asked = [record(0), record(0, inputs='{"x": 5}'), record(1), record(1)]
        found = join(asked, [truth(0), truth(1, "no")])
        assert found.frame["truth"].fillna(-1).tolist() == [-1, -1, 0, 0]
        assert counts(found) == {"labelled": 2, "ambiguous": 1}

    def test_labels_that_are_no_answer_are_counted_and_settled_knows_no_answers(self) -> None:
        predictions, feedback = frame([record(0)]), frame([truth(0, "yes"), truth(0, "perhaps", 9999)], FEEDBACK)
        found = join_feedback(predictions, feedback, ANSWERS)
        assert found.frame["truth"].tolist() == [1]
        assert counts(found) == {"labelled": 1, "foreign": 1}
        assert latest_feedback(predictions, feedback).frame["told"].tolist() == ["perhaps"]

    def test_nothing_beside_nothing(self) -> None:
        assert counts(join([record(0)], [])) == {}
        assert counts(join([], [truth(0)])) == {"unknown": 1}
        assert join([record(0)], []).frame["truth"].isna().all()
        assert str(join([record(0)], []).frame["answered_at"].dtype) == "datetime64[us, UTC]"

    @given(
        st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2)), max_size=8),
        st.lists(
            st.tuples(st.integers(0, 4), st.integers(0, 2), st.sampled_from(ANSWERS), st.integers(0, 99)), max_size=12
        ),
    )
    def test_every_truth_is_told_or_counted(self, asked: list[Any], told: list[Any]) -> None:
        predictions = [record(i, row=row) for i, row in asked]
        feedback = [truth(i, label, after - i, row) for i, row, label, after in told]
        last = {(i, row): label for i, row, label, _ in sorted(told, key=lambda t: t[3])}
        found = join(predictions, feedback)
        expected = [float(last[key] == "yes") if (key := (i, row)) in last else -1.0 for i, row in asked]
        assert found.frame["truth"].fillna(-1).tolist() == expected
        assert found.unknown == sum((i, row) not in set(asked) for i, row, _, _ in told)
        assert found.labelled == sum(key in last for key in asked)
        known = len({(i, row) for i, row, _, _ in told} & set(asked))
        assert found.repeated + found.contradictory + found.unknown + known == len(told)

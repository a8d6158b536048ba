"""Lines of JSON and segments of Parquet: nothing changes on the way, and what is broken is counted."""

import json
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from credence.core.errors import InputError
from credence.data.prediction_log.closed_segments import read_closed, write_segment
from credence.data.prediction_log.jsonl import NOT_A_RECORD, TORN, decode_lines, encode_dropped, encode_record
from credence.data.prediction_log.schema import FEEDBACK, PREDICTION, LogRecord, records_table
from tests.support.log_cases import record, truth

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
NUMBER = st.none() | st.floats(allow_nan=False, allow_infinity=False)
MOMENT = st.datetimes(datetime(1980, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))
VALUES: dict[Any, Any] = {
    pa.string(): TEXT,
    pa.int64(): st.integers(0, 10**6),
    pa.float64(): NUMBER,
    pa.bool_(): st.booleans(),
    pa.list_(pa.string()): st.lists(TEXT, max_size=3),
    PREDICTION.field("time").type: MOMENT,
}
RECORDS = st.lists(st.fixed_dictionaries({f.name: VALUES[f.type] for f in PREDICTION}), max_size=8)
EVERYTHING = pc.scalar(True)


def jsonl(records: list[LogRecord]) -> bytes:
    return b"".join(map(encode_record, records))


@given(RECORDS)
def test_records_survive_lines_and_parquet(records: list[LogRecord]) -> None:
    found = decode_lines(jsonl(records), PREDICTION)
    assert found.table.to_pylist() == records
    assert (found.dropped, found.skipped) == (0, {})
    with TemporaryDirectory() as folder:
        write_segment(Path(folder), "a", found.table)
        assert read_closed(Path(folder) / "a.parquet", PREDICTION, EVERYTHING).table.to_pylist() == records
    assert found.table.equals(records_table(records, PREDICTION))


def test_a_file_cut_at_any_byte_gives_all_whole_lines() -> None:
    lines = [encode_record(record(0)), encode_record(record(1, group="né\u2028—")), encode_record(truth(2) | record(2))]
    data, ends = b"".join(lines), [0, len(lines[0]), len(lines[0]) + len(lines[1]), sum(map(len, lines))]
    for cut in range(len(data) + 1):
        whole = sum(end <= cut for end in ends) - 1
        found = decode_lines(data[:cut], PREDICTION)
        assert found.table["request_id"].to_pylist() == [f"r{i}" for i in range(whole)]
        assert found.skipped == ({} if cut in ends else {TORN: 1})
        assert decode_lines(data[:cut], PREDICTION, has_writer=True).skipped == {}


@given(st.lists(st.binary(max_size=40).map(lambda b: b.replace(b"\n", b"")), max_size=6), st.integers(0, 5))
def test_garbage_between_lines_costs_no_record(garbage: list[bytes], good: int) -> None:
    lines = [encode_record(record(i)) for i in range(good)]
    mixed = [x for i in range(6) for x in (lines[i : i + 1] + [g + b"\n" for g in garbage[i : i + 1]])]
    found = decode_lines(b"".join(mixed), PREDICTION)
    assert found.table["request_id"].to_pylist() == [f"r{i}" for i in range(good)]
    assert found.skipped.get(NOT_A_RECORD, 0) == sum(bool(g) for g in garbage)


@pytest.mark.parametrize(
    "broken",
    [
        b'{"request_id": "a"',
        b"\0\0\0\0",
        b'{"request_id": 3, "row": 0}',
        b'{"row": 0}',
        b"[]",
        b"7",
        b"{}",
        b"\xff",
        b'{"request_id": "a", "row": 1.5}',
        b'{"request_id": "a", "row": 0, "time": "yesterday"}',
        jsonl([record(9)])[:-1] * 2,
        b'{"request_id": "\xff", "row": 0, "time": "2026-01-01"}',
    ],
)
def test_a_broken_line_is_counted_and_its_neighbours_are_kept(broken: bytes) -> None:
    data = encode_record(record(0)) + broken + b"\n" + encode_record(record(1))
    found = decode_lines(data, PREDICTION)
    assert found.table["request_id"].to_pylist() == ["r0", "r1"]
    assert found.skipped == {NOT_A_RECORD: 1}


def test_a_broken_line_swallows_no_neighbour() -> None:
    """Together these lines read as one object whose unknown key holds the record."""
    found = decode_lines(b'{"swallowed":\n' + encode_record(record(0)) + b"}\n", PREDICTION)
    assert found.table["request_id"].to_pylist() == ["r0"]
    assert found.skipped == {NOT_A_RECORD: 2}


def test_keys_of_a_later_version_are_left_aside_and_absent_ones_are_null() -> None:
    old = {k: v for k, v in record(0).items() if k != "latency_ms"}
    found = decode_lines(encode_record(old | {"colour": {"of": ["the", "sky"]}}), PREDICTION)
    assert found.table.to_pylist() == [old | {"latency_ms": None}]
    assert found.skipped == {}


def test_what_was_dropped_is_summed_and_is_no_record() -> None:
    found = decode_lines(encode_dropped(3) + encode_record(truth(1)) + encode_dropped(4), FEEDBACK)
    assert (len(found.table), found.dropped, found.skipped) == (1, 7, {})


def test_moments_are_utc_in_microseconds() -> None:
    moment = pd.Timestamp("2026-03-01T12:00:00.123456789+02:00")
    found = decode_lines(encode_record(record(0, time=moment)), PREDICTION).table["time"][0].as_py()
    assert found == datetime(2026, 3, 1, 10, 0, 0, 123456, tzinfo=UTC)


def test_no_number_and_no_end_stay_readable(tmp_path: Path) -> None:
    """JSON has no NaN, but Python writes one: such a line must not be lost."""
    found = decode_lines(encode_record(record(0, low=float("nan"), high=float("inf"))), PREDICTION)
    assert len(found.table) == 1 and json.loads(found.table["inputs"][0].as_py()) == {"x": 0}


@pytest.mark.parametrize("name", ["../a", "a/b", ".a", "_a", ""])
def test_a_segment_stays_in_its_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="plain file name"):
        write_segment(tmp_path / "log", name, records_table([record()], PREDICTION))
    assert not (tmp_path / "log").exists()

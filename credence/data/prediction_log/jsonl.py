"""Encode records as JSON Lines and decode them to a table; broken lines are skipped and counted."""

import json
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import reduce

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pj

from credence.data.prediction_log.schema import LogRecord

DROPPED = "dropped"
REQUIRED_FIELDS = ("request_id", "row", "time")
TORN = "a last line that was cut off when its writer was killed"
NOT_A_RECORD = "lines that hold no record"
ENCODER = json.JSONEncoder(
    ensure_ascii=False, default=lambda moment: datetime.isoformat(moment, timespec="microseconds")
)


@dataclass(frozen=True)
class SegmentContent:
    """The content of a segment.

    Attributes:
        table: Its records.
        dropped: Number of records that the writer dropped.
        skipped: Number of lines that could not be read, by reason.
    """

    table: pa.Table
    dropped: int = 0
    skipped: dict[str, int] = field(default_factory=dict)


def encode_record(record: LogRecord) -> bytes:
    """Encode a record as one line of JSON."""
    return ENCODER.encode(record).encode() + b"\n"


def encode_dropped(n: int) -> bytes:
    """Encode the line that states how many records the writer dropped."""
    return encode_record({DROPPED: n})


def decode_lines(data: bytes, schema: pa.Schema, has_writer: bool = False) -> SegmentContent:
    """Decode the bytes of a segment.

    Args:
        data: Lines of JSON.
        schema: The schema of the records.
        has_writer: Whether its writer still runs, so that an incomplete last line is not an error.
    """
    complete, _, tail = data.rpartition(b"\n")
    counted = schema.append(pa.field(DROPPED, pa.int64()))
    parts, wrong = _parse_lines([x for x in complete.split(b"\n") if x], counted)
    read = pa.concat_tables([counted.empty_table(), *parts])
    is_record = reduce(pc.and_, (pc.is_valid(read[n]) for n in REQUIRED_FIELDS))
    is_count = pc.and_(pc.is_valid(read[DROPPED]), pc.invert(is_record))
    wrong += len(read) - sum(pc.sum(flags, min_count=0).as_py() for flags in (is_record, is_count))
    skipped = {NOT_A_RECORD: wrong, TORN: int(bool(tail) and not has_writer)}
    dropped = pc.sum(read[DROPPED], min_count=0).as_py()
    return SegmentContent(
        read.filter(is_record).select(schema.names), dropped, {why: n for why, n in skipped.items() if n}
    )


def _parse_lines(lines: list[bytes], schema: pa.Schema) -> tuple[list[pa.Table], int]:
    """Return tables of the valid lines, and the number of broken ones, which are found by bisection."""
    if not lines:
        return [], 0
    with suppress(pa.ArrowException, UnicodeDecodeError):
        read = _table(b"\n".join(lines), schema)
        if len(read) == len(lines):  # otherwise two broken lines were read as one record
            return [read], 0
    if len(lines) == 1:
        return [], 1
    middle = len(lines) // 2
    (left, wrong), (right, more) = _parse_lines(lines[:middle], schema), _parse_lines(lines[middle:], schema)
    return left + right, wrong + more


def _table(data: bytes, schema: pa.Schema) -> pa.Table:
    data.decode()  # Arrow checks UTF-8 only when a string is read
    options = pj.ParseOptions(explicit_schema=schema, unexpected_field_behavior="ignore")
    return pj.read_json(pa.BufferReader(data), pj.ReadOptions(use_threads=False, block_size=len(data) + 1), options)

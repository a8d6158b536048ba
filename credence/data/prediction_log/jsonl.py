"""Records as lines of JSON, and such lines as a table, with all that is broken left out and counted."""

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
    """What a segment holds: its records, how many its writer had to drop, and how many were skipped for what reason."""

    table: pa.Table
    dropped: int = 0
    skipped: dict[str, int] = field(default_factory=dict)


def encode_record(record: LogRecord) -> bytes:
    """One record as one line."""
    return ENCODER.encode(record).encode() + b"\n"


def encode_dropped(n: int) -> bytes:
    """The line by which a writer says how many records it had to drop."""
    return encode_record({DROPPED: n})


def decode_lines(data: bytes, schema: pa.Schema, living: bool = False) -> SegmentContent:
    """The records in the bytes of a segment. The writer of a living one may still be at its last line."""
    whole, _, tail = data.rpartition(b"\n")
    counted = schema.append(pa.field(DROPPED, pa.int64()))
    parts, wrong = _parsed([x for x in whole.split(b"\n") if x], counted)
    read = pa.concat_tables([counted.empty_table(), *parts])
    is_record = reduce(pc.and_, (pc.is_valid(read[n]) for n in REQUIRED_FIELDS))
    is_count = pc.and_(pc.is_valid(read[DROPPED]), pc.invert(is_record))
    wrong += len(read) - sum(pc.sum(flags, min_count=0).as_py() for flags in (is_record, is_count))
    skipped = {NOT_A_RECORD: wrong, TORN: int(bool(tail) and not living)}
    dropped = pc.sum(read[DROPPED], min_count=0).as_py()
    return SegmentContent(
        read.filter(is_record).select(schema.names), dropped, {why: n for why, n in skipped.items() if n}
    )


def _parsed(lines: list[bytes], schema: pa.Schema) -> tuple[list[pa.Table], int]:
    """Tables of all good lines and the number of bad ones, which are found by halving."""
    if not lines:
        return [], 0
    with suppress(pa.ArrowException, UnicodeDecodeError):
        read = _table(b"\n".join(lines), schema)
        if len(read) == len(lines):  # else a broken line was completed by the next one
            return [read], 0
    if len(lines) == 1:
        return [], 1
    middle = len(lines) // 2
    (left, wrong), (right, more) = _parsed(lines[:middle], schema), _parsed(lines[middle:], schema)
    return left + right, wrong + more


def _table(data: bytes, schema: pa.Schema) -> pa.Table:
    data.decode()  # Arrow does not look whether strings are UTF-8 until somebody reads them
    options = pj.ParseOptions(explicit_schema=schema, unexpected_field_behavior="ignore")
    return pj.read_json(pa.BufferReader(data), pj.ReadOptions(use_threads=False, block_size=len(data) + 1), options)

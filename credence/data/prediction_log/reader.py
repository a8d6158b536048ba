"""Read the prediction log, safely with concurrent writers, and join feedback labels to predictions."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from credence.core.errors import first_line
from credence.data.prediction_log.active_segment import OPEN_SUFFIX, open_segment_path, segment_name
from credence.data.prediction_log.closed_segments import CLOSED_SUFFIX, read_closed, read_open
from credence.data.prediction_log.jsonl import SegmentContent
from credence.data.prediction_log.schema import FEEDBACK, PREDICTION, TIMESTAMP

KEY = ["request_id", "row"]


@dataclass(frozen=True)
class Skipped:
    """Lines of a file that could not be read, and why; `count` is 1 for a whole file."""

    file: str
    count: int
    why: str


@dataclass(frozen=True)
class Reading:
    """Records in order of time, what was skipped, and how many records the writers dropped."""

    frame: pd.DataFrame
    skipped: list[Skipped]
    dropped: int


@dataclass(frozen=True)
class Joined:
    """Predictions with their feedback labels.

    Attributes:
        frame: The predictions, with the columns that `join_feedback` or `latest_feedback` adds.
        labelled: Number of predictions with a label.
        unknown: Number of feedback records whose prediction is not among these.
        repeated: Number of feedback records that repeat the previous label.
        contradictory: Number of feedback records that change the previous label.
        ambiguous: Number of feedback records whose id was used for different rows.
        foreign: Number of feedback records whose label is not one of the task's answers.
    """

    frame: pd.DataFrame
    labelled: int
    unknown: int
    repeated: int
    contradictory: int
    ambiguous: int
    foreign: int = 0


def read_predictions(
    task_folder: Path, since: datetime | None = None, until: datetime | None = None, columns: list[str] | None = None
) -> Reading:
    """Read the predictions of a task's log.

    Args:
        task_folder: The task's log folder; see `log_folder`.
        since: First time, inclusive; UTC if it has no time zone.
        until: Last time, exclusive; UTC if it has no time zone.
        columns: The columns to read besides `time`, to save memory; by default all.
    """
    wanted = pa.schema([f for f in PREDICTION if columns is None or f.name in (*columns, "time")])
    return _read(task_folder / "predictions", PREDICTION, wanted, _utc(since), _utc(until))


def read_feedback(task_folder: Path, since: datetime | None = None, until: datetime | None = None) -> Reading:
    """Read the feedback that arrived from `since` (inclusive) to `until` (exclusive); see `read_predictions`."""
    return _read(task_folder / "feedback", FEEDBACK, FEEDBACK, _utc(since), _utc(until))


def _utc(time: datetime | None) -> datetime | None:
    """Interpret a time without a time zone as UTC."""
    return time.replace(tzinfo=UTC) if time and time.tzinfo is None else time


def _read(
    folder: Path, schema: pa.Schema, wanted: pa.Schema, since: datetime | None, until: datetime | None
) -> Reading:
    tables, skipped, dropped = [wanted.empty_table()], list[Skipped](), 0
    for name in _segments(folder):
        content, missed = _content(folder, name, schema, wanted, since, until)
        tables.append(content.table)
        skipped += missed
        dropped += content.dropped
    return Reading(_to_frame(pa.concat_tables(tables).sort_by("time")), skipped, dropped)


def _segments(folder: Path) -> list[str]:
    """List the names of all segments; twice, because one listing may miss a file that is being closed."""
    files = [*folder.glob("[!.]*"), *folder.glob("[!.]*")]
    return sorted({segment_name(f) for f in files if f.suffix in (OPEN_SUFFIX, CLOSED_SUFFIX)})


def _content(
    folder: Path, name: str, schema: pa.Schema, wanted: pa.Schema, since: datetime | None, until: datetime | None
) -> tuple[SegmentContent, list[Skipped]]:
    """Read one segment: its Parquet file, or its active file, which may become Parquet at any time."""
    closed, missed, when = folder / f"{name}{CLOSED_SUFFIX}", list[Skipped](), _between(since, until)
    for file in (closed, open_segment_path(folder, name), closed):
        try:
            if file != closed:
                found = read_open(file, schema)
                found = replace(found, table=found.table.filter(when).select(wanted.names))
            elif since is None or file.stat().st_mtime >= since.timestamp():
                found = read_closed(file, wanted, when)
            else:
                break
            return found, missed + [Skipped(str(file), n, why) for why, n in found.skipped.items()]
        except FileNotFoundError:
            continue
        except (pa.ArrowException, OSError, ValueError) as error:
            missed = [Skipped(str(file), 1, f"the file could not be read: {first_line(error)}")]
    return SegmentContent(wanted.empty_table()), missed


def _between(since: datetime | None, until: datetime | None) -> pc.Expression:
    time, always = pc.field("time"), pc.scalar(True)
    after = always if since is None else time >= pa.scalar(since, TIMESTAMP)
    return after & (always if until is None else time < pa.scalar(until, TIMESTAMP))


def _to_frame(table: pa.Table) -> pd.DataFrame:
    """Convert to pandas, with Python lists instead of arrays."""
    lists = [f.name for f in table.schema if pa.types.is_list(f.type)]
    frame: pd.DataFrame = table.drop_columns(lists).to_pandas()
    nested = {n: pd.Series(table[n].to_pylist(), index=frame.index, dtype=object) for n in lists}
    frame = frame.assign(**nested)[table.column_names]
    return frame


def join_feedback(predictions: pd.DataFrame, feedback: pd.DataFrame, answers: tuple[str, str]) -> Joined:
    """Join the latest feedback to every prediction.

    The result has three more columns: `told` (the label), `answered_at` (its time) and `truth`. `truth` is 1 for
    the second of the task's answers, 0 for the first and NaN without feedback.

    Args:
        predictions: As `read_predictions` returns them.
        feedback: As `read_feedback` returns it.
        answers: The task's answers (no, yes); feedback with other labels is ignored and counted.
    """
    known = feedback["label"].isin(answers)
    found = latest_feedback(predictions, feedback[known])
    told = found.frame["told"]
    truth = np.where(told.isna(), np.nan, (told == answers[1]).astype(float))
    return replace(found, frame=found.frame.assign(truth=truth), foreign=int((~known).sum()))


def latest_feedback(predictions: pd.DataFrame, feedback: pd.DataFrame) -> Joined:
    """Join the latest feedback to every prediction as `told` and `answered_at`; any label counts."""
    told = feedback.sort_values("time", kind="stable")
    rows = _rows_per_key(predictions).reindex(pd.MultiIndex.from_frame(told[KEY]), fill_value=0).to_numpy()
    told = told[rows == 1]
    repeats = told.duplicated(KEY).to_numpy()
    same = (told["label"] == told.groupby(KEY)["label"].shift()).to_numpy()
    last = told[~told.duplicated(KEY, keep="last")].set_index(KEY)
    found = last.reindex(pd.MultiIndex.from_frame(predictions[KEY]))
    return Joined(
        frame=predictions.assign(told=found["label"].array, answered_at=found["time"].array),
        labelled=int(found["label"].notna().sum()),
        unknown=int((rows == 0).sum()),
        repeated=int(same.sum()),
        contradictory=int((repeats & ~same).sum()),
        ambiguous=int((rows > 1).sum()),
    )


def _rows_per_key(predictions: pd.DataFrame) -> "pd.Series[int]":
    """Count the different rows with the same key; callers choose ids, and some always send the same one.

    Counts are per version, because a challenger may use other columns of the same row.
    """
    return predictions.groupby([*KEY, "version"])["inputs"].nunique().groupby(KEY).max()

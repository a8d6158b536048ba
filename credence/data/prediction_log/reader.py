"""Reads the log, also while others write it, and puts the truth beside the answers that it belongs to."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from credence.data.prediction_log.active_segment import OPEN_SUFFIX, read_complete_lines, segment_name
from credence.data.prediction_log.closed_segments import CLOSED_SUFFIX, read_closed, read_open
from credence.data.prediction_log.jsonl import SegmentContent
from credence.data.prediction_log.schema import FEEDBACK, PREDICTION, TIMESTAMP

KEY = ["request_id", "row"]


@dataclass(frozen=True)
class Skipped:
    """What could not be read: how many lines (or 1 for a whole file) of which file, and why."""

    file: str
    count: int
    why: str


@dataclass(frozen=True)
class Reading:
    """Records in order of time, what had to be skipped, and how many the writers of these files dropped."""

    frame: pd.DataFrame
    skipped: list[Skipped]
    dropped: int


@dataclass(frozen=True)
class Joined:
    """Predictions with the truth beside them, and what became of the feedback.

    `labelled` counts answers with a truth; the others count feedback: `unknown` for no answer in these predictions,
    `repeated` the same again, `contradictory` another label than before, `ambiguous` for an id under which different
    rows were asked, `foreign` with a label that is none of the task's answers.
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
    """The answers in a task's log from `since` up to, but not including, `until`; `columns` keeps memory small."""
    wanted = pa.schema([f for f in PREDICTION if columns is None or f.name in (*columns, "time")])
    return _read(task_folder / "predictions", PREDICTION, wanted, _utc(since), _utc(until))


def read_feedback(task_folder: Path, since: datetime | None = None, until: datetime | None = None) -> Reading:
    """The truths that came to a task's log from `since` up to, but not including, `until`."""
    return _read(task_folder / "feedback", FEEDBACK, FEEDBACK, _utc(since), _utc(until))


def _utc(moment: datetime | None) -> datetime | None:
    """A moment without a zone is meant in UTC, as all of the log is."""
    return moment.replace(tzinfo=UTC) if moment and moment.tzinfo is None else moment


def _read(
    folder: Path, schema: pa.Schema, wanted: pa.Schema, since: datetime | None, until: datetime | None
) -> Reading:
    tables, skipped, dropped = [wanted.empty_table()], list[Skipped](), 0
    for name in _segments(folder):
        content, missed = _content(folder, name, schema, wanted, since, until)
        tables.append(content.table)
        skipped += missed
        dropped += content.dropped
    return Reading(_frame(pa.concat_tables(tables).sort_by("time")), skipped, dropped)


def _segments(folder: Path) -> list[str]:
    """The names of all segments. One listing may miss a file that is just being closed; two do not."""
    files = [*folder.glob("[!.]*"), *folder.glob("[!.]*")]
    return sorted({segment_name(f) for f in files if f.suffix in (OPEN_SUFFIX, CLOSED_SUFFIX)})


def _content(
    folder: Path, name: str, schema: pa.Schema, wanted: pa.Schema, since: datetime | None, until: datetime | None
) -> tuple[SegmentContent, list[Skipped]]:
    """What is asked of one segment: its Parquet file where there is one, which may appear at any moment."""
    closed, missed, when = folder / f"{name}{CLOSED_SUFFIX}", list[Skipped](), _between(since, until)
    for file in (closed, read_complete_lines(folder, name), closed):
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
            missed = [Skipped(str(file), 1, f"the file could not be read: {_first_line(error)}")]
    return SegmentContent(wanted.empty_table()), missed


def _between(since: datetime | None, until: datetime | None) -> pc.Expression:
    moment, every = pc.field("time"), pc.scalar(True)
    after = every if since is None else moment >= pa.scalar(since, TIMESTAMP)
    return after & (every if until is None else moment < pa.scalar(until, TIMESTAMP))


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0].rstrip(".")


def _frame(table: pa.Table) -> pd.DataFrame:
    """Lists as lists, not as arrays."""
    lists = [f.name for f in table.schema if pa.types.is_list(f.type)]
    frame: pd.DataFrame = table.drop_columns(lists).to_pandas()
    nested = {n: pd.Series(table[n].to_pylist(), index=frame.index, dtype=object) for n in lists}
    whole: pd.DataFrame = frame.assign(**nested)[table.column_names]
    return whole


def join_feedback(predictions: pd.DataFrame, feedback: pd.DataFrame, answers: tuple[str, str]) -> Joined:
    """Put beside every answer `told`, the last label that came for it, `answered_at`, when that was, and `truth`: 1
    where it is the second of the task's answers, 0 where the first, NaN where none came."""
    known = feedback["label"].isin(answers)
    found = latest_feedback(predictions, feedback[known])
    told = found.frame["told"]
    truth = np.where(told.isna(), np.nan, (told == answers[1]).astype(float))
    return replace(found, frame=found.frame.assign(truth=truth), foreign=int((~known).sum()))


def latest_feedback(predictions: pd.DataFrame, feedback: pd.DataFrame) -> Joined:
    """The same without knowing the task's answers: only `told` and `answered_at`."""
    told = feedback.sort_values("time", kind="stable")
    rows = _require_log(predictions).reindex(pd.MultiIndex.from_frame(told[KEY]), fill_value=0).to_numpy()
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


def _require_log(predictions: pd.DataFrame) -> "pd.Series[int]":
    """How many different rows were asked under one key: callers choose ids, and some always send the same.

    Counted by version, since a challenger may read other columns of the same row.
    """
    return predictions.groupby([*KEY, "version"])["inputs"].nunique().groupby(KEY).max()

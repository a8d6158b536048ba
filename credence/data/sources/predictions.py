"""Read the prediction log as a table: inputs, predictions and feedback labels."""

import json
import warnings
from datetime import datetime
from pathlib import Path
from typing import Literal, Self

import pandas as pd
from pydantic import Field, model_validator

from credence.core.errors import InputError, did_you_mean
from credence.core.paths import log_folder, state_dir
from credence.data.prediction_log.reader import latest_feedback, read_feedback, read_predictions
from credence.data.sources import Source
from credence.security.keyed_hash import is_hashed

LOG_COLUMNS = {
    "request_id": "request_id",
    "row": "row",
    "time": "time",
    "version": "version",
    "group": "group",
    "probability": "probability",
    "predicted": "label",
    "truth": "told",
}


class LoggedPredictions(Source):
    """The inputs under their raw names, without hashed ones, and the log's columns in `LOG_COLUMNS`.

    Give either `task`, or `path` of its log folder. `since` and `until` bound the time of the predictions, in UTC
    unless they have an offset.
    """

    task: str | None = None
    path: Path | None = None
    since: datetime | None = None
    until: datetime | None = None
    labelled: Literal["only", "all"] = "only"
    delivered: bool = Field(True, description="leave out predictions that were not sent to the caller")

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.task is None) == (self.path is None):
            raise ValueError("expected either task or path, and not both")
        return self

    def read(self) -> pd.DataFrame:
        """Read the table; unreadable parts of the log give a warning.

        Raises:
            InputError: There are no predictions, or `labelled` is "only" and none has a label.
        """
        folder = self.path.expanduser() if self.path else log_folder(str(self.task))
        found, feedback = read_predictions(folder, self.since, self.until), read_feedback(folder)
        for missed in found.skipped + feedback.skipped:
            warnings.warn(f"{missed.file}: {missed.count} left out: {missed.why}", stacklevel=2)
        answers = found.frame
        if answers.empty:
            raise InputError(f"{folder}: {self._why_empty(folder)}")
        if self.delivered:
            answers = answers[answers["delivered"]]
        answers = latest_feedback(answers, feedback.frame).frame
        told = answers["told"].notna()
        if self.labelled == "only" and not told.any():
            raise InputError(
                f"{folder}: none of these {len(answers)} answers has been labelled; send POST /feedback, "
                "or read them all with source.labelled=all."
            )
        return _table(answers[told | (self.labelled == "all")].reset_index(drop=True))

    def _why_empty(self, folder: Path) -> str:
        if not (folder / "predictions").is_dir():
            logs = [p.parent.name for p in state_dir().glob("*/log")]
            hint = did_you_mean(self.task, logs) if self.task and logs else "Serve the task first."
            return f"no predictions were logged there. {hint}"
        return "no answer was logged in the time asked for; widen source.since and source.until."


def _table(answers: pd.DataFrame) -> pd.DataFrame:
    """Build the table; a column of the log gets an underscore if an input has the same name."""
    inputs = pd.DataFrame(answers["inputs"].map(json.loads).tolist(), index=answers.index)
    hashed = [c for c in inputs if inputs[c].map(is_hashed).any()]
    inputs = inputs.drop(columns=hashed)
    own = {f"{name}_" if name in inputs else name: answers[column] for name, column in LOG_COLUMNS.items()}
    return pd.concat([pd.DataFrame(own), inputs], axis=1)

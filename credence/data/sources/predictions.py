"""The log of predictions as a table to learn from: what was asked, what was answered, and what turned out true."""

import json
import re
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

HASHED = re.compile("#[0-9a-f]{16}")
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
    """The inputs under their raw names, without those that were hashed, beside what the log says of each answer."""

    task: str | None = None
    path: Path | None = None
    since: datetime | None = None
    until: datetime | None = None
    labelled: Literal["only", "all"] = "only"
    delivered: bool = Field(True, description="leave out what challengers answered beside the champion")

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.task is None) == (self.path is None):
            raise ValueError("expected either task or path, and not both")
        return self

    def read(self) -> pd.DataFrame:
        folder = self.path.expanduser() if self.path else log_folder(str(self.task))
        found, feedback = read_predictions(folder, self.since, self.until), read_feedback(folder)
        for missed in found.skipped + feedback.skipped:
            warnings.warn(f"{missed.file}: {missed.count} left out: {missed.why}", stacklevel=2)
        answers = found.frame
        if answers.empty:
            raise InputError(f"{folder}: {self._nothing(folder)}")
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

    def _nothing(self, folder: Path) -> str:
        """Why there are no answers to read."""
        if not (folder / "predictions").is_dir():
            logs = [p.parent.name for p in state_dir().glob("*/log")]
            hint = did_you_mean(self.task, logs) if self.task and logs else "Serve the task first."
            return f"no predictions were logged there. {hint}"
        return "no answer was logged in the time asked for; widen source.since and source.until."


def _table(answers: pd.DataFrame) -> pd.DataFrame:
    """The inputs as columns; where one has a name that the log uses itself, the log's own gets an underscore more."""
    inputs = pd.DataFrame(answers["inputs"].map(json.loads).tolist(), index=answers.index)
    hashed = [c for c in inputs if inputs[c].map(lambda v: isinstance(v, str) and bool(HASHED.fullmatch(v))).any()]
    inputs = inputs.drop(columns=hashed)
    own = {f"{name}_" if name in inputs else name: answers[column] for name, column in LOG_COLUMNS.items()}
    return pd.concat([pd.DataFrame(own), inputs], axis=1)

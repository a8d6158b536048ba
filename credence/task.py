"""A task is one yes/no question about every row. Each section is the parameter of exactly one pipeline step."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import pandas as pd
from pydantic import Field, ValidationError, field_validator

from credence.core.errors import InputError
from credence.core.registry import ModelSpec, SourceSpec, StrictModel, format_validation_error
from credence.core.yaml_loader import load_yaml
from credence.data.checks import Checks
from credence.data.rows import Columns, canonical_sample
from credence.data.shift_sets import SetName, ShiftSet
from credence.data.split import Split
from credence.evaluation.gate import Gate
from credence.generation.section import Generation
from credence.model import require_matching_inputs
from credence.predictor import TaskInfo
from credence.production.monitoring import Monitoring
from credence.security.log_policy import LogPolicy
from credence.statistics.calibration import Calibration


class Task(StrictModel):
    """A question, the source of its rows, the candidate models, and the rules of the gate.

    The name is 1 to 60 characters of a-z, 0-9 and _; it is the stem of the task's YAML file.
    """

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_]*$", max_length=60)
    question: str = Field(description="the yes/no question about every row")
    answers: tuple[str, str] = Field(("no", "yes"), description="the words for no and yes in predictions")
    generation: Generation | None = Field(None, description="rows that language models write")
    source: SourceSpec = Field(description="where the rows come from: a kind and its parameters")
    columns: Columns = Field(description="which column is the label, the text, the group, the row id")
    checks: Checks = Field(Checks(), description="limits of the checks before training")
    split: Split = Field(Split(), description="how rows are assigned to train, calibration and test")
    models: list[ModelSpec] = Field(min_length=1, description="the candidates: kinds and their parameters")
    calibration: Calibration = Field(Calibration(), description="scaling, conformal sets, threshold")
    gate: Gate = Field(Gate(), description="when the challenger may replace the champion")
    shift: dict[SetName, ShiftSet] = Field({}, description="sets of rows unlike training, for the report only")
    log: LogPolicy = Field(LogPolicy(), description="what the prediction log may keep")
    monitoring: Monitoring = Field(Monitoring(), description="window, thresholds, alerts, retraining")

    @field_validator("answers", mode="before")
    @classmethod
    def _answers_are_words(cls, answers: Any) -> Any:
        return tuple(map(str, answers)) if isinstance(answers, list) else answers

    def rows(self, raw: pd.DataFrame | None = None, sample_size: int | None = None) -> pd.DataFrame:
        """The task's canonical rows: columns row_id, group, label, key and the inputs.

        Args:
            raw: The raw table, if it was read already.
            sample_size: Number of rows to keep, always the same ones.

        Raises:
            InputError: The table does not fit the task.
        """
        table = self.source.build().read() if raw is None else raw
        return canonical_sample(table, self.columns, self.split.split_columns(), sample_size)

    def info(self) -> TaskInfo:
        """The part of the task that its predictors keep."""
        return TaskInfo(
            task=self.name,
            question=self.question,
            answers=self.answers,
            group=self.columns.group,
            text=self.columns.text,
            log=self.log,
            latency_ms=self.monitoring.latency_ms,
        )

    @classmethod
    def read(cls, path: Path, overrides: dict[str, Any] | None = None) -> Self:
        """Read a task from a YAML file.

        Args:
            path: The file; its stem is the task's name.
            overrides: Values by dotted path, such as {"gate.margin": 0.02}, which replace those of the file.

        Raises:
            InputError: The file is not a valid task; one sentence per mistake, each with the file and the key.
        """
        content = set_values(load_yaml(path), overrides or {})
        try:
            return cls.from_content(path.stem, content)
        except InputError as error:
            raise InputError(f"{path}: {error}") from None

    @classmethod
    def from_content(cls, name: str, content: dict[str, Any]) -> Self:
        """The task with this name and the content of a task's YAML.

        Raises InputError with one sentence per mistake, each naming the key.
        """
        try:
            task = cls(name=name, **content)
            task.source.build()
            for elsewhere, shift in task.shift.items():
                shift.build(elsewhere)
            for i, spec in enumerate(task.models):
                require_matching_inputs(spec.build(), task.columns.text is not None, f"models.{i}: ")
        except ValidationError as error:
            raise InputError(format_validation_error(error, cls)) from None
        return task


def set_values(content: dict[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """A task's content with values such as {"gate.margin": 0.02} laid over it; `content` itself changes."""
    for key, value in overrides.items():
        _set_path(content, key, value)
    return content


def _set_path(content: dict[str, Any], key: str, value: Any) -> None:
    """Set the value at a dotted path, through mappings by name and through lists by index."""
    *path, last = key.split(".")
    place: Any = content
    for step in path:
        place = place[_list_index(place, step, key)] if isinstance(place, list) else place.setdefault(step, {})
        if not isinstance(place, (dict, list)):
            raise InputError(f"--set {key}: {step!r} is a value and has no keys below it.")
    if isinstance(place, list):
        place[_list_index(place, last, key)] = value
    else:
        place[last] = value


def _list_index(place: list[Any], step: str, key: str) -> int:
    if not step.isdigit() or int(step) >= len(place):
        raise InputError(f"--set {key}: {step!r} is no number from 0 to {len(place) - 1}.")
    return int(step)

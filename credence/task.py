"""A task is one yes/no question about every row. Each section is the parameter of exactly one step."""

from pathlib import Path
from typing import Any, Self

from pydantic import Field, ValidationError, field_validator

from credence.core.errors import InputError
from credence.core.registry import ModelSpec, SourceSpec, StrictModel, format_validation_error
from credence.core.yaml_loader import load_yaml
from credence.data.checks import Checks
from credence.data.rows import Columns
from credence.data.shift_sets import SetName, ShiftSet
from credence.data.split import Split
from credence.evaluation.gate import Gate
from credence.generation.section import Generation
from credence.model import require_matching_inputs
from credence.production.monitoring import Monitoring
from credence.security.log_policy import LogPolicy
from credence.statistics.calibration import Calibration


class Task(StrictModel):
    """A question, where its rows come from, who may answer it, and when an answer is good enough."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_]*$", max_length=60)
    question: str
    answers: tuple[str, str] = ("no", "yes")
    generation: Generation | None = None
    source: SourceSpec
    columns: Columns
    checks: Checks = Checks()
    split: Split = Split()
    models: list[ModelSpec] = Field(min_length=1)
    calibration: Calibration = Calibration()
    gate: Gate = Gate()
    shift: dict[SetName, ShiftSet] = {}
    log: LogPolicy = LogPolicy()
    monitoring: Monitoring = Monitoring()

    @field_validator("answers", mode="before")
    @classmethod
    def _answers_are_words(cls, answers: Any) -> Any:
        return tuple(map(str, answers)) if isinstance(answers, list) else answers

    def about(self) -> dict[str, Any]:
        """What a predictor has to know of its task besides the rows."""
        group = {"group": self.columns.group} if self.columns.group else {}
        log = {"log": self.log.model_dump(mode="json")} if self.log != LogPolicy() else {}
        bound = {"latency_ms": self.monitoring.latency_ms}
        return {"task": self.name, "question": self.question, "answers": list(self.answers), **group, **log, **bound}

    @classmethod
    def read(cls, path: Path, overrides: dict[str, Any] | None = None) -> Self:
        """The task in a YAML file, with `overrides` such as {"gate.margin": 0.02} laid over it.

        Raises BadInput with one sentence per mistake, each naming the file and the key.
        """
        content = load_yaml(path)
        for key, value in (overrides or {}).items():
            _set_path(content, key, value)
        try:
            task = cls(name=path.stem, **content)
            task.source.build()
            for name, elsewhere in task.shift.items():
                elsewhere.build(name)
            for i, spec in enumerate(task.models):
                require_matching_inputs(spec.build(), task.columns.text is not None, f"models.{i}: ")
        except ValidationError as error:
            raise InputError(f"{path}: {format_validation_error(error, cls)}") from None
        except InputError as error:
            raise InputError(f"{path}: {error}") from None
        return task


def _set_path(content: dict[str, Any], key: str, value: Any) -> None:
    """Set a value at a dotted path, through mappings by name and through lists by number."""
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

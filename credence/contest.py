"""A task's whole contest in plain Python, for notebooks and benchmarks: the pipeline's steps, without a pipeline."""

from dataclasses import dataclass

import pandas as pd

from credence.choice import choose
from credence.code_length import bits_per_row
from credence.kinds import ModelSpec
from credence.models import Labels, Model
from credence.operating_point import minimum_for
from credence.predictor import Predictor
from credence.rows import inputs
from credence.search import OnTrial, search
from credence.split import PARTS, assign
from credence.task import Task


@dataclass(frozen=True)
class Contest:
    """The parts of the rows, every candidate calibrated, their log-losses on rows not learned from, and the winner."""

    train: pd.DataFrame
    calibration: pd.DataFrame
    test: pd.DataFrame
    contenders: list[Predictor]
    losses: list[float]

    @property
    def challenger(self) -> Predictor:
        """The contender with the lowest log-loss."""
        return self.contenders[self.losses.index(min(self.losses))]


def contest(task: Task, rows: pd.DataFrame) -> Contest:
    """Split canonical rows, fit and calibrate every candidate of the task, and choose among them."""
    part = assign(rows, task.split)
    train, calibration, test = (rows[part == name].reset_index(drop=True) for name in PARTS)
    X, y = inputs(train), train["label"].to_numpy()
    aim = task.gate.metric, minimum_for(task.gate.metric, task.gate.minimum)
    contenders = [
        Predictor.calibrate(_fitted(spec, X, y), train, calibration, task.calibration, task.about(), *aim)
        for spec in task.models
    ]
    return Contest(train, calibration, test, contenders, choose(contenders, train, calibration))


def tuned(spec: ModelSpec, X: pd.DataFrame, y: Labels, on_trial: OnTrial | None = None) -> ModelSpec:
    """The spec with the best parameters that its search found; the spec itself where it asks for no search."""
    if spec.search is None:
        return spec
    found = search(spec, X, y, on_trial=on_trial)
    return ModelSpec(**{**spec.model_dump(exclude={"search"}), **found.parameters})


def _fitted(spec: ModelSpec, X: pd.DataFrame, y: Labels) -> Model:
    found = tuned(spec, X, y)
    model: Model = found.build().fit(X, y)
    if found.prequential:
        model.coded_in(bits_per_row(found, X, y))
    return model

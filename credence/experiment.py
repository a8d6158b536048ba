"""A task's experiment in plain Python, for notebooks and benchmarks: the training pipeline without ZenML."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from credence.core.registry import ModelSpec
from credence.data.rows import model_inputs
from credence.data.split import PARTS, assign_parts
from credence.evaluation.code_length import prequential_bits
from credence.evaluation.hyperparameter_search import OnSearchTrial, search_hyperparameters
from credence.model import Labels, Model
from credence.predictor import Predictor, TaskInfo
from credence.statistics.calibration import Calibration, log_loss
from credence.statistics.threshold import threshold_minimum
from credence.statistics.uncertainty import Array
from credence.task import Task

Watch = Callable[[list[ModelSpec]], Iterable[ModelSpec]]


class Aim(NamedTuple):
    """What the threshold serves: the gate's metric, and the least value of it that the gate accepts."""

    metric: str
    minimum: float


NO_AIM = Aim("accuracy", 0.0)


def select_challenger(contenders: Sequence[Predictor], train: pd.DataFrame, calibration: pd.DataFrame) -> list[float]:
    """Calibrated log-loss of every candidate, in nats per row; the lowest one is the challenger.

    The loss is over the calibration rows. Training rows count too if every candidate has out-of-fold probabilities,
    because the calibration rows of a small table are few.
    """
    parts = [(p.draws(calibration).mean(0), calibration["label"].to_numpy()) for p in contenders]
    unseen = [_out_of_fold(p) for p in contenders]
    if any(u is None for u in unseen):
        return [log_loss(p, y) for p, y in parts]
    y = train["label"].to_numpy()
    return [
        log_loss(np.concatenate([p, u]), np.concatenate([c, y]))
        for (p, c), u in zip(parts, unseen, strict=True)
        if u is not None
    ]


def _out_of_fold(predictor: Predictor) -> Array | None:
    raw = predictor.model.out_of_fold()
    return None if raw is None else predictor.info.scaling(raw[None, :])[0]


@dataclass(frozen=True)
class Experiment:
    """The parts of the rows, the calibrated candidates, and their log-losses (nats per row) on rows not trained on."""

    train: pd.DataFrame
    calibration: pd.DataFrame
    test: pd.DataFrame
    contenders: list[Predictor]
    losses: list[float]

    @property
    def challenger(self) -> Predictor:
        """The candidate with the lowest log-loss."""
        return self.contenders[self.losses.index(min(self.losses))]


def run_experiment(task: Task, rows: pd.DataFrame, watch: Watch = iter) -> Experiment:
    """Split canonical rows, then fit and calibrate every candidate of the task and compare them.

    Args:
        task: The task.
        rows: Its canonical rows.
        watch: Receives the candidates and yields them one by one, for example through a progress bar.

    Raises:
        InputError: The rows cannot be split or a candidate cannot be fitted to them.
    """
    part = assign_parts(rows, task.split)
    train, calibration, test = (rows[part == name].reset_index(drop=True) for name in PARTS)
    aim = Aim(task.gate.metric, threshold_minimum(task.gate.metric, task.gate.minimum))
    contenders = fit_contenders(watch(task.models), train, calibration, task.calibration, task.info(), aim)
    return Experiment(train, calibration, test, contenders, select_challenger(contenders, train, calibration))


def fit_contenders(
    specs: Iterable[ModelSpec],
    train: pd.DataFrame,
    calibration: pd.DataFrame,
    section: Calibration,
    about: TaskInfo,
    aim: Aim = NO_AIM,
) -> list[Predictor]:
    """Fit every candidate on the training rows and calibrate it on the calibration rows, both canonical."""
    X, y = model_inputs(train), train["label"].to_numpy()
    return [Predictor.calibrate(_fitted(spec, X, y), train, calibration, section, about, *aim) for spec in specs]


def tune(spec: ModelSpec, X: pd.DataFrame, y: Labels, on_trial: OnSearchTrial | None = None) -> ModelSpec:
    """The spec with the best parameters found by its search; the spec itself if it has no `search`."""
    if spec.search is None:
        return spec
    found = search_hyperparameters(spec, X, y, on_trial=on_trial)
    return ModelSpec(**{**spec.model_dump(exclude={"search"}), **found.parameters})


def _fitted(spec: ModelSpec, X: pd.DataFrame, y: Labels) -> Model:
    found = tune(spec, X, y)
    model: Model = found.build().fit(X, y)
    if found.prequential:
        model.set_prequential_bits(prequential_bits(found, X, y))
    return model

"""Hyperparameter search with Optuna (TPE): log-loss on stratified folds, with median pruning."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import optuna
import pandas as pd
from tqdm import tqdm

from credence.core.errors import InputError
from credence.core.registry import ModelSpec, SearchSettings, StrictModel, load_kind
from credence.model import Labels, Model
from credence.statistics.calibration import log_loss
from credence.statistics.cross_validation import Indices, stratified_folds

RANDOM_TRIALS = 5
OnSearchTrial = Callable[[int, dict[str, Any], float], None]
FoldData = list[tuple[Indices, Indices]]


class SearchTrial(StrictModel):
    """One trial: its parameters and the mean log-loss in nats over its folds; pruned trials have not run all folds."""

    number: int
    parameters: dict[str, Any]
    loss: float
    seconds: float
    finished: bool


class SearchResult(StrictModel):
    """The parameters with the lowest log-loss, as arguments of `ModelSpec`, and every trial."""

    parameters: dict[str, Any]
    trials: list[SearchTrial]


def search_hyperparameters(
    spec: ModelSpec, X: pd.DataFrame, y: Labels, on_trial: OnSearchTrial | None = None
) -> SearchResult:
    """Search the best parameters for a model kind on rows X with labels y.

    All trials use the same folds. The first trial is the spec as it is, so the result is never worse than the spec on
    these folds. Parameters that the spec sets are not searched. The search ends after `search.trials` trials or
    `search.seconds` seconds, whichever comes first.

    Args:
        spec: The model kind, its fixed parameters and the limits of the search.
        X: Model inputs.
        y: Labels 0 and 1, shape (rows,).
        on_trial: Called after each trial with its number, parameters and loss.

    Raises:
        InputError: A label has fewer than two rows, or the kind has no parameter left to search.
    """
    limits, fixed = spec.search or SearchSettings(), spec.model_extra or {}
    objective = _Objective(load_kind("models", spec.kind), fixed, X, y, _folds(y, limits, fixed.get("seed", 0)))
    start, deadline, trials = _defaults(objective), time.monotonic() + limits.seconds, list[SearchTrial]()
    with _quiet(), _progress(spec.kind, limits.trials) as bar:
        study = _study(fixed.get("seed", 0), start)
        while len(trials) < limits.trials and (not trials or time.monotonic() < deadline):
            trials.append(_trial(study, objective, deadline))
            bar.set_postfix(best=f"{_best(trials).loss:.4f}", refresh=False)
            bar.update()
            if on_trial:
                on_trial(trials[-1].number, trials[-1].parameters, trials[-1].loss)
    return SearchResult(parameters=_best(trials).parameters, trials=trials)


@dataclass
class _Objective:
    """The model kind, fixed parameters, rows and folds that every trial uses."""

    kind: type[Model]
    fixed: dict[str, Any]
    X: pd.DataFrame
    y: Labels
    folds: FoldData

    def loss(self, parameters: dict[str, Any], train: Indices, held: Indices) -> float:
        """Log-loss on the held-out rows of a single fit to the training rows."""
        single = {"folds": 1} if "folds" in self.kind.model_fields else {}
        model = self.kind(**parameters | single).fit(self.X.iloc[train], self.y[train])
        return log_loss(model.draws(self.X.iloc[held]).mean(0), self.y[held])


def _progress(kind: str, trials: int) -> "tqdm[Any]":
    return tqdm(total=trials, desc=f"search {kind}", unit="trial", file=sys.stderr, mininterval=1)


def _best(trials: list[SearchTrial]) -> SearchTrial:
    return min((t for t in trials if t.finished), key=lambda t: t.loss)


def _folds(y: Labels, limits: SearchSettings, seed: int) -> FoldData:
    folds = stratified_folds(y, limits.folds, seed)
    if not folds:
        raise InputError(f"{int(np.sum(y))} of {len(y)} training rows are yes; a search needs two rows of each answer.")
    return folds


def _defaults(objective: _Objective) -> dict[str, Any]:
    """Default values of the parameters that the kind can search and the spec does not set."""
    fields = {name: info.default for name, info in objective.kind.model_fields.items()}
    space = objective.kind.search_space(optuna.trial.FixedTrial(fields))
    tuned = {name: fields[name] for name in space if name not in objective.fixed}
    if not tuned:
        raise InputError(
            f"model of kind {objective.kind.kind()!r} has no parameter left to search; remove its section search."
        )
    return tuned


def _study(seed: int, start: dict[str, Any]) -> optuna.Study:
    pruner = optuna.pruners.MedianPruner(n_startup_trials=RANDOM_TRIALS, n_warmup_steps=1)
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed), pruner=pruner)
    study.enqueue_trial(start)
    return study


def _trial(study: optuna.Study, objective: _Objective, deadline: float) -> SearchTrial:
    """Run the next trial fold by fold until it is pruned or the time is up; the first trial always runs all folds."""
    asked, since = study.ask(), time.monotonic()
    parameters, losses = objective.kind.search_space(asked) | objective.fixed, list[float]()
    for train, held in objective.folds:
        losses.append(objective.loss(parameters, train, held))
        asked.report(float(np.mean(losses)), len(losses))
        if asked.number and (asked.should_prune() or time.monotonic() > deadline):
            break
    finished, loss = len(losses) == len(objective.folds), float(np.mean(losses))
    state = optuna.trial.TrialState.COMPLETE if finished else optuna.trial.TrialState.PRUNED
    study.tell(asked, loss if finished else None, state)
    spent = time.monotonic() - since
    return SearchTrial(number=asked.number, parameters=parameters, loss=loss, seconds=spent, finished=finished)


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence Optuna's log line per trial; the progress bar shows the same."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)

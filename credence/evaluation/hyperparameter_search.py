"""Look for better hyper-parameters: Optuna proposes, stratified folds judge by log-loss, weak proposals end early."""

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
    """One proposal: its mean log-loss in nats over the folds it saw, which are all folds only where `finished`."""

    number: int
    parameters: dict[str, Any]
    loss: float
    seconds: float
    finished: bool


class SearchResult(StrictModel):
    """What a search found: the parameters with the lowest log-loss, ready for `ModelSpec`, and every trial."""

    parameters: dict[str, Any]
    trials: list[SearchTrial]


def search_hyperparameters(
    spec: ModelSpec, X: pd.DataFrame, y: Labels, on_trial: OnSearchTrial | None = None
) -> SearchResult:
    """The best parameters for `spec.kind` on rows X with answers y; those that the spec fixes stay as they are.

    Every proposal meets the same folds. The first one is the spec as it stands, so searching never ends below not
    searching on these folds. Ends after `search.trials` proposals or `search.seconds`, whichever comes first.
    """
    limits, fixed = spec.search or SearchSettings(), spec.model_extra or {}
    bench = _Objective(load_kind("models", spec.kind), fixed, X, y, _dealt(y, limits, fixed.get("seed", 0)))
    start, deadline, trials = _defaults(bench), time.monotonic() + limits.seconds, list[SearchTrial]()
    with _quiet(), _progress(spec.kind, limits.trials) as bar:
        study = _study(fixed.get("seed", 0), start)
        while len(trials) < limits.trials and (not trials or time.monotonic() < deadline):
            trials.append(_trial(study, bench, deadline))
            bar.set_postfix(best=f"{_best(trials).loss:.4f}", refresh=False)
            bar.update()
            if on_trial:
                on_trial(trials[-1].number, trials[-1].parameters, trials[-1].loss)
    return SearchResult(parameters=_best(trials).parameters, trials=trials)


@dataclass
class _Objective:
    """What every proposal is measured on."""

    kind: type[Model]
    fixed: dict[str, Any]
    X: pd.DataFrame
    y: Labels
    dealt: FoldData

    def loss(self, parameters: dict[str, Any], train: Indices, held: Indices) -> float:
        """Log-loss of a single fit on the held-out rows."""
        single = {"folds": 1} if "folds" in self.kind.model_fields else {}
        model = self.kind(**parameters | single).fit(self.X.iloc[train], self.y[train])
        return log_loss(model.draws(self.X.iloc[held]).mean(0), self.y[held])


def _progress(kind: str, trials: int) -> "tqdm[Any]":
    return tqdm(total=trials, desc=f"search {kind}", unit="trial", file=sys.stderr, mininterval=1)


def _best(trials: list[SearchTrial]) -> SearchTrial:
    return min((t for t in trials if t.finished), key=lambda t: t.loss)


def _dealt(y: Labels, limits: SearchSettings, seed: int) -> FoldData:
    dealt = stratified_folds(y, limits.folds, seed)
    if not dealt:
        raise InputError(
            f"{int(np.sum(y))} of {len(y)} training rows are yes; a search needs two rows of either answer."
        )
    return dealt


def _defaults(bench: _Objective) -> dict[str, Any]:
    """The default of every parameter that the kind can tune and the spec leaves open."""
    fields = {name: info.default for name, info in bench.kind.model_fields.items()}
    space = bench.kind.search_space(optuna.trial.FixedTrial(fields))
    tuned = {name: fields[name] for name in space if name not in bench.fixed}
    if not tuned:
        raise InputError(f"model of kind {bench.kind.kind()!r} has nothing left to search; remove its search section.")
    return tuned


def _study(seed: int, start: dict[str, Any]) -> optuna.Study:
    pruner = optuna.pruners.MedianPruner(n_startup_trials=RANDOM_TRIALS, n_warmup_steps=1)
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed), pruner=pruner)
    study.enqueue_trial(start)
    return study


def _trial(study: optuna.Study, bench: _Objective, deadline: float) -> SearchTrial:
    """Judge the next proposal fold by fold until it proves weak or time is up; the first one is always judged whole."""
    asked, since = study.ask(), time.monotonic()
    parameters, losses = bench.kind.search_space(asked) | bench.fixed, list[float]()
    for train, held in bench.dealt:
        losses.append(bench.loss(parameters, train, held))
        asked.report(float(np.mean(losses)), len(losses))
        if asked.number and (asked.should_prune() or time.monotonic() > deadline):
            break
    finished, loss = len(losses) == len(bench.dealt), float(np.mean(losses))
    state = optuna.trial.TrialState.COMPLETE if finished else optuna.trial.TrialState.PRUNED
    study.tell(asked, loss if finished else None, state)
    spent = time.monotonic() - since
    return SearchTrial(number=asked.number, parameters=parameters, loss=loss, seconds=spent, finished=finished)


@contextmanager
def _quiet() -> Iterator[None]:
    """Optuna reports every trial on its own; the progress bar already does."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)

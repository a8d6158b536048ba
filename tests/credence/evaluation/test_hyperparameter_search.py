"""A search never ends below where it began, meets the same folds each time, and stops when told."""

from typing import Any

import numpy as np
import optuna
import pandas as pd
import pytest

from credence.core.errors import InputError
from credence.core.registry import ModelSpec
from credence.evaluation.hyperparameter_search import search_hyperparameters
from credence.models.kinds.logistic import Logistic
from credence.statistics.calibration import log_loss
from credence.statistics.cross_validation import stratified_folds


def data(n: int = 200) -> tuple[pd.DataFrame, Any]:
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(n, 8)), columns=list("abcdefgh")).assign(group="all")
    return X, (X["a"] + X["b"] ** 2 + rng.normal(size=n) > 1).astype(int).to_numpy()


def logistic(trials: int = 6, seconds: float = 600, **parameters: Any) -> ModelSpec:
    return ModelSpec(kind="logistic", search={"trials": trials, "seconds": seconds, "folds": 3}, **parameters)


def test_the_first_trial_is_the_spec_itself_and_the_best_is_no_worse() -> None:
    X, y = data()
    found = search_hyperparameters(logistic(), X, y)
    start = Logistic()
    assert found.trials[0].parameters == {"C": start.C, "knots": start.knots}
    best = min(t.loss for t in found.trials if t.finished)
    assert best <= found.trials[0].loss
    assert found.parameters == next(t.parameters for t in found.trials if t.loss == best)
    ModelSpec(kind="logistic", **found.parameters).build()


def test_the_loss_is_that_of_single_fits_on_the_shared_folds() -> None:
    X, y = data()
    by_hand = [
        log_loss(Logistic(folds=1).fit(X.iloc[train], y[train]).draws(X.iloc[held]).mean(0), y[held])
        for train, held in stratified_folds(y, 3, 0)
    ]
    assert search_hyperparameters(logistic(trials=1), X, y).trials[0].loss == pytest.approx(np.mean(by_hand), abs=1e-12)


def test_the_same_seed_searches_the_same_way() -> None:
    X, y = data()
    first, second = (search_hyperparameters(logistic(), X, y) for _ in range(2))
    assert [t.parameters for t in first.trials] == [t.parameters for t in second.trials]
    assert first.parameters == second.parameters


def test_what_the_spec_fixes_stays() -> None:
    X, y = data()
    found = search_hyperparameters(logistic(C=0.05, scale=False), X, y)
    assert {t.parameters["C"] for t in found.trials} == {0.05}
    assert found.parameters["scale"] is False
    assert len({t.parameters["knots"] for t in found.trials}) > 1


def test_time_ends_a_search_but_never_the_first_trial() -> None:
    X, y = data()
    found = search_hyperparameters(logistic(trials=50, seconds=1e-9), X, y)
    assert len(found.trials) == 1
    assert found.trials[0].finished


def test_weak_proposals_end_early_and_never_win() -> None:
    X, y = data()
    found = search_hyperparameters(logistic(trials=30), X, y)
    cut = [t for t in found.trials if not t.finished]
    assert cut
    assert found.parameters not in [t.parameters for t in cut]


def test_every_trial_is_told() -> None:
    X, y = data()
    told: list[tuple[int, dict[str, Any], float]] = []
    found = search_hyperparameters(logistic(trials=4), X, y, on_trial=lambda *trial: told.append(trial))
    assert told == [(t.number, t.parameters, t.loss) for t in found.trials]


def test_progress_goes_to_stderr_and_optuna_stays_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    X, y = data()
    before = optuna.logging.get_verbosity()
    search_hyperparameters(logistic(trials=2), X, y)
    out, err = capsys.readouterr()
    assert out == ""
    assert "search logistic" in err
    assert "[I " not in err
    assert optuna.logging.get_verbosity() == before


def test_nothing_to_search_is_said() -> None:
    X, y = data()
    with pytest.raises(InputError, match="no parameter left to search; remove its section search"):
        search_hyperparameters(logistic(C=1.0, knots=0), X, y)


def test_one_row_of_an_answer_is_too_few() -> None:
    X, _ = data(30)
    with pytest.raises(InputError, match="1 of 30 training rows are yes"):
        search_hyperparameters(logistic(), X, np.repeat([0, 1], [29, 1]))


def test_text_kinds_are_searched_the_same_way() -> None:
    rng = np.random.default_rng(0)
    y = np.arange(80) % 2
    X = pd.DataFrame({"text": [f"{['bad', 'good'][a]} {rng.integers(9)}" for a in y], "group": "all"})
    found = search_hyperparameters(ModelSpec(kind="tfidf", search={"trials": 3, "folds": 2}), X, y)
    assert len(found.trials) == 3
    assert found.trials[0].loss < 0.5

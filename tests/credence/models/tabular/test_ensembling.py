"""Voting and stacking."""

import numpy as np
import pandas as pd
import pytest

from credence.core.errors import InputError
from credence.core.registry import ModelSpec
from credence.models.kinds.stacking import Stacking
from credence.models.kinds.voting import Voting
from credence.models.tabular.ensembling import best_weights, equal_weights, weighted_average
from credence.statistics.calibration import log_loss
from credence.statistics.uncertainty import sigmoid

PAIR = [{"kind": "logistic"}, {"kind": "gradient_boosting", "rounds": 20}]


def data(n: int = 150) -> tuple[pd.DataFrame, np.ndarray]:
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(n, 3)), columns=list("abc")).assign(group="all")
    return X, (X["a"] + 0.5 * rng.normal(size=n) > 0).astype(int).to_numpy()


def test_every_member_of_every_fold_is_a_draw_of_voting() -> None:
    X, y = data()
    assert Voting(members=PAIR, folds=1).fit(X, y).draws(X).shape == (2, 150)
    assert Voting(members=PAIR, folds=3).fit(X, y).draws(X).shape == (6, 150)


def test_stacking_answers_once_per_fold_and_prefers_the_member_that_knows() -> None:
    X, y = data()
    blind = {"kind": "logistic", "C": 1e-9, "knots": 0}
    stack = Stacking(members=[blind, {"kind": "logistic"}], folds=2).fit(X, y)
    assert stack.draws(X).shape == (2, 150)
    for committee in stack._members:
        assert committee.weights[1] > 0.5
        assert (committee.weights[:-1] >= 0).all()


def test_weights_are_non_negative_and_find_what_made_the_answers() -> None:
    rng = np.random.default_rng(0)
    odds = rng.normal(size=(4000, 3)) * 2
    y = (rng.random(4000) < sigmoid(odds @ [1.0, 0.0, -0.5] + 0.3)).astype(int)
    found = best_weights(odds, y)
    assert found[0] == pytest.approx(1.0, abs=0.15)
    assert found[2] == 0.0
    assert found[3] == pytest.approx(0.3, abs=0.15)
    assert log_loss(weighted_average(odds, found), y) < log_loss(weighted_average(odds, equal_weights(3)), y)


def test_members_take_the_committee_s_preparation_unless_they_bring_their_own() -> None:
    model = Voting(
        members=[{"kind": "logistic", "resample": None}, {"kind": "random_forest"}], resample="smote", seed=7
    )
    own, shared = (model._member_model(spec) for spec in model.members)
    assert own.resample is None
    assert shared.resample == "smote"
    assert own.seed == shared.seed == 7


@pytest.mark.parametrize(
    ("members", "sentence"),
    [
        ([{"kind": "tfidf"}, {"kind": "logistic"}], "'tfidf' cannot be one"),
        ([{"kind": "voting"}, {"kind": "logistic"}], "'voting' cannot be one"),
        ([{"kind": "logistik"}, {"kind": "logistic"}], "Did you mean 'logistic'"),
        ([{"kind": "logistic", "knot": 1}, {"kind": "logistic"}], "Did you mean 'knots'"),
        ([{"kind": "logistic"}], "at least 2"),
    ],
)
def test_members_that_cannot_serve_are_refused(members: list[dict[str, object]], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        ModelSpec(kind="voting", members=members).build()

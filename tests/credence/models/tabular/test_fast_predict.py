"""The compact form of an estimator answers as the estimator does, and its contributions are Shapley's."""

from itertools import combinations
from math import factorial
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import make_classification
from sklearn.ensemble import AdaBoostClassifier as AdaBoost
from sklearn.ensemble import (
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.tree import DecisionTreeClassifier

from credence.models.tabular.fast_predict import LinearScorer, ScorerSet, forest_scorer, to_fast_scorer
from credence.models.tabular.trees import TreeEnsemble, TreeNodes, write

Z, Y = make_classification(400, 6, n_informative=4, n_redundant=0, random_state=0)
Z[:, 2] = np.round(Z[:, 2], 1)
PROBE = np.vstack([np.random.default_rng(1).normal(size=(300, 6)), Z[:100]])
KINDS = [
    LogisticRegression(),
    RandomForestClassifier(15, random_state=0),
    ExtraTreesClassifier(15, min_samples_leaf=3, random_state=0),
    GradientBoostingClassifier(n_estimators=15, subsample=0.5, random_state=0),
    HistGradientBoostingClassifier(max_iter=15, random_state=0),
]


@pytest.mark.parametrize("estimator", KINDS, ids=lambda e: type(e).__name__)
def test_answers_are_scikit_learn_s(estimator: Any) -> None:
    fitted = estimator.fit(Z, Y)
    small = to_fast_scorer(fitted, Z)
    assert isinstance(small, (LinearScorer, TreeEnsemble))
    np.testing.assert_allclose(small.predict_proba(PROBE), fitted.predict_proba(PROBE), atol=1e-12)


def test_holes_go_the_way_scikit_learn_sends_them() -> None:
    holed = np.where(np.random.default_rng(0).random(Z.shape) < 0.2, np.nan, Z)
    fitted = HistGradientBoostingClassifier(max_iter=20, random_state=0).fit(holed, Y)
    np.testing.assert_allclose(
        to_fast_scorer(fitted, holed).predict_proba(holed), fitted.predict_proba(holed), atol=1e-12
    )


def test_adaboost_ranks_as_scikit_learn_and_is_surer() -> None:
    fitted = AdaBoost(DecisionTreeClassifier(max_depth=1), n_estimators=20, random_state=0).fit(Z, Y)
    ours, theirs = to_fast_scorer(fitted, Z).predict_proba(PROBE)[:, 1], fitted.predict_proba(PROBE)[:, 1]
    total = fitted.estimator_weights_.sum() / 2
    np.testing.assert_allclose(np.log(ours / (1 - ours)), total * np.log(theirs / (1 - theirs)), atol=1e-9)


def test_an_unknown_estimator_stays_as_it_is() -> None:
    fitted = GaussianNB().fit(Z, Y)
    assert to_fast_scorer(fitted, Z) is fitted


def test_a_grove_s_draws_are_its_trees_and_none_is_certain() -> None:
    trees = [DecisionTreeClassifier(max_features=2, random_state=i).fit(Z, Y) for i in range(5)]
    draws = forest_scorer(trees, 6).draws(PROBE)
    assert draws.shape == (5, len(PROBE))
    assert (draws > 0).all()
    assert (draws < 1).all()
    for tree, p in zip(trees, draws, strict=True):
        np.testing.assert_array_equal(p > 0.5, tree.predict(PROBE) == 1)


def test_a_panel_asks_each_of_its_members() -> None:
    members = [to_fast_scorer(LogisticRegression(C=c).fit(Z, Y), Z) for c in (0.01, 1.0)]
    np.testing.assert_array_equal(ScorerSet(members).draws(PROBE)[1], members[1].predict_proba(PROBE)[:, 1])


def test_a_tree_without_splits_is_a_constant() -> None:
    leaf = np.full(1, -1)
    text = write([TreeNodes(leaf, leaf, leaf, np.zeros(1), np.zeros(1, bool), np.array([0.25]), np.ones(1))], width=2)
    np.testing.assert_array_equal(
        TreeEnsemble(text, odds=False, single=True).predict_proba(PROBE[:3, :2])[:, 1], [0.25] * 3
    )


def test_linear_contributions_are_distances_from_the_mean() -> None:
    linear = to_fast_scorer(LogisticRegression().fit(Z, Y), Z)
    assert np.abs(linear.contributions(Z).mean(0)).max() < 1e-9
    p = linear.predict_proba(PROBE)[:, 1]
    rest = np.log(p / (1 - p)) - linear.contributions(PROBE).sum(1)
    assert np.ptp(rest) < 1e-9


def expected(tree: Any, node: int, x: Any, known: set[int], scale: float) -> float:
    """What the tree says of x on average over training rows when only some columns are known."""
    t = tree.tree_
    if t.children_left[node] < 0:
        return float(t.value[node, 0, 0]) * scale
    left, right = t.children_left[node], t.children_right[node]
    if t.feature[node] in known:
        down = left if np.float32(x[t.feature[node]]) <= t.threshold[node] else right
        return expected(tree, down, x, known, scale)
    share = t.n_node_samples[left] / t.n_node_samples[node]
    return share * expected(tree, left, x, known, scale) + (1 - share) * expected(tree, right, x, known, scale)


def shapley(value: Any, n: int, j: int) -> float:
    others = [i for i in range(n) if i != j]
    subsets = [set(s) for k in range(n) for s in combinations(others, k)]
    weight = {k: factorial(k) * factorial(n - k - 1) / factorial(n) for k in range(n)}
    return sum(weight[len(s)] * (value(s | {j}) - value(s)) for s in subsets)


def test_tree_contributions_are_shapley_values_by_definition() -> None:
    X = Z[:, :4]
    fitted = GradientBoostingClassifier(n_estimators=6, max_depth=3, random_state=0).fit(X, Y)
    found = to_fast_scorer(fitted, X).contributions(X[:3])
    for x, row in zip(X[:3], found, strict=True):
        for j in range(4):
            by_hand = sum(
                shapley(lambda s, t=tree, x=x: expected(t, 0, x, s, fitted.learning_rate), 4, j)
                for (tree,) in fitted.estimators_
            )
            assert row[j] == pytest.approx(by_hand, abs=1e-9)

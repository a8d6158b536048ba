"""Conversion of fitted scikit-learn estimators to arrays or LightGBM trees, which score a row in microseconds."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn import ensemble
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier

from credence.models.tabular.trees import TreeDraws, TreeEnsemble, TreeNodes, write
from credence.statistics.uncertainty import Array, logit, sigmoid


@dataclass
class LinearScorer:
    """Logistic regression: log-odds = Z @ coef + intercept.

    Attributes:
        coef: Coefficients, shape (width,).
        intercept: The intercept.
        mean: Mean of the training matrix, shape (width,); the baseline of SHAP values.
    """

    coef: Array
    intercept: float
    mean: Array

    def predict_proba(self, Z: Array) -> Array:
        """Return probabilities of no and yes, shape (rows, 2), for a matrix of shape (rows, width)."""
        p = sigmoid(Z @ self.coef + self.intercept)
        return np.stack([1 - p, p], axis=1)

    def contributions(self, Z: Array) -> Array:
        """Return SHAP values of the log-odds, exact for independent columns, shape (rows, width)."""
        return (Z - self.mean) * self.coef


@dataclass
class ScorerSet:
    """Several scorers; each is a draw."""

    scorers: list[Any]

    def draws(self, Z: Array) -> Array:
        """Return probabilities of yes, shape (scorers, rows)."""
        return np.stack([scorer.predict_proba(Z)[:, 1] for scorer in self.scorers])


def to_fast_scorer(estimator: Any, Z: Array) -> Any:
    """Convert a fitted estimator to a fast scorer with the same probabilities.

    Args:
        estimator: A fitted scikit-learn classifier.
        Z: The matrix that it was fitted on, shape (rows, width).

    Returns:
        The scorer, or the estimator itself if its type has no converter.
    """
    convert: Callable[[Any, Array], Any] | None = CONVERTERS.get(type(estimator))
    return convert(estimator, Z) if convert else estimator


def forest_scorer(trees: list[DecisionTreeClassifier], width: int) -> TreeDraws:
    """Convert classification trees so that each is a draw; leaf shares are smoothed, so small leaves are not certain.

    Args:
        trees: Fitted trees.
        width: Number of matrix columns.
    """
    return TreeDraws(write([_nodes(tree, _smoothed(tree)) for tree in trees], width), odds=False, single=True)


def _linear(fitted: LogisticRegression, Z: Array) -> LinearScorer:
    return LinearScorer(fitted.coef_[0], float(fitted.intercept_[0]), Z.mean(0))


def _forest(fitted: Any, Z: Array) -> TreeEnsemble:
    n = len(fitted.estimators_)
    grown = [_nodes(tree, _share(tree) / n) for tree in fitted.estimators_]
    return TreeEnsemble(write(grown, Z.shape[1]), odds=False, single=True)


def _adaboost(fitted: ensemble.AdaBoostClassifier, Z: Array) -> TreeEnsemble:
    """Take the weighted vote as log-odds (Friedman, Hastie & Tibshirani 2000).

    scikit-learn divides it by the sum of weights: the ranking is the same, but probabilities are too close to 1/2.
    """
    pairs = zip(fitted.estimators_, fitted.estimator_weights_, strict=False)
    grown = [_nodes(tree, weight * np.where(_share(tree) > 0.5, 1.0, -1.0)) for tree, weight in pairs]
    return TreeEnsemble(write(grown, Z.shape[1]), odds=True, single=True)


def _gradient(fitted: ensemble.GradientBoostingClassifier, Z: Array) -> TreeEnsemble:
    start = float(logit(np.asarray(fitted.init_.class_prior_[1])))
    grown = [_nodes(tree, tree.tree_.value[:, 0, 0] * fitted.learning_rate) for (tree,) in fitted.estimators_]
    return TreeEnsemble(write([_constant(start), *grown], Z.shape[1]), odds=True, single=True)


def _histogram(fitted: ensemble.HistGradientBoostingClassifier, Z: Array) -> TreeEnsemble:
    grown = [_binned(tree.nodes) for (tree,) in fitted._predictors]
    start = float(np.ravel(fitted._baseline_prediction)[0])
    return TreeEnsemble(write([_constant(start), *grown], Z.shape[1]), odds=True, single=False)


def _share(tree: DecisionTreeClassifier) -> Array:
    """Return the share of yes in every node."""
    counts = tree.tree_.value[:, 0, :]
    yes = np.flatnonzero(tree.classes_ == 1)
    return np.asarray(counts[:, yes].sum(1) / counts.sum(1))


def _smoothed(tree: DecisionTreeClassifier) -> Array:
    """Return the m-estimate of the share of yes in every node, with two rows of prior (Cestnik 1990)."""
    share, rows = _share(tree), tree.tree_.weighted_n_node_samples
    return np.asarray((share * rows + 2 * share[0]) / (rows + 2))


def _nodes(fitted: Any, value: Array) -> TreeNodes:
    """Convert a scikit-learn tree, with the given value per node."""
    t = fitted.tree_
    nan_left, rows = t.missing_go_to_left == 1, t.n_node_samples.astype(float)
    return TreeNodes(t.children_left, t.children_right, t.feature, t.threshold, nan_left, value, rows)


def _binned(nodes: Any) -> TreeNodes:
    leaf = nodes["is_leaf"] == 1
    left, right = (np.where(leaf, -1, nodes[side].astype(np.intp)) for side in ("left", "right"))
    feature, nan_left = nodes["feature_idx"], nodes["missing_go_to_left"] == 1
    return TreeNodes(
        left, right, feature, nodes["num_threshold"], nan_left, nodes["value"], nodes["count"].astype(float)
    )


def _constant(value: float) -> TreeNodes:
    none, leaf = np.zeros(1), np.full(1, -1)
    return TreeNodes(leaf, leaf, leaf, none, none > 0, np.array([value]), np.ones(1))


CONVERTERS: dict[type, Callable[[Any, Array], Any]] = {
    LogisticRegression: _linear,
    ensemble.RandomForestClassifier: _forest,
    ensemble.ExtraTreesClassifier: _forest,
    ensemble.AdaBoostClassifier: _adaboost,
    ensemble.GradientBoostingClassifier: _gradient,
    ensemble.HistGradientBoostingClassifier: _histogram,
}

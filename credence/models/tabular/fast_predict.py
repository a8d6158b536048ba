"""What a fitted estimator boils down to: arrays or trees that answer one row in microseconds."""

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
    """Logistic regression: log-odds = Z @ coef + intercept. `mean` is where the training rows lie on average."""

    coef: Array
    intercept: float
    mean: Array

    def predict_proba(self, Z: Array) -> Array:
        """Shape (rows, 2), the columns being no and yes."""
        p = sigmoid(Z @ self.coef + self.intercept)
        return np.stack([1 - p, p], axis=1)

    def contributions(self, Z: Array) -> Array:
        """Exact SHAP values of the log-odds for independent columns, shape (rows, width)."""
        return (Z - self.mean) * self.coef


@dataclass
class ScorerSet:
    """Several scorers, each with an opinion of its own."""

    scorers: list[Any]

    def draws(self, Z: Array) -> Array:
        """Probabilities of yes, shape (scorers, rows)."""
        return np.stack([scorer.predict_proba(Z)[:, 1] for scorer in self.scorers])


def to_fast_scorer(estimator: Any, Z: Array) -> Any:
    """The same answers from less, where the estimator's type is known here; otherwise the estimator itself.

    Z is the matrix that the estimator was fitted on.
    """
    boil: Callable[[Any, Array], Any] | None = CONVERTERS.get(type(estimator))
    return boil(estimator, Z) if boil else estimator


def forest_scorer(trees: list[DecisionTreeClassifier], width: int) -> TreeDraws:
    """Classification trees, each an opinion of its own; no small leaf is certain."""
    return TreeDraws(write([_nodes(tree, _smoothed(tree)) for tree in trees], width), odds=False, single=True)


def _linear(fitted: LogisticRegression, Z: Array) -> LinearScorer:
    return LinearScorer(fitted.coef_[0], float(fitted.intercept_[0]), Z.mean(0))


def _forest(fitted: Any, Z: Array) -> TreeEnsemble:
    n = len(fitted.estimators_)
    grown = [_nodes(tree, _share(tree) / n) for tree in fitted.estimators_]
    return TreeEnsemble(write(grown, Z.shape[1]), odds=False, single=True)


def _adaboost(fitted: ensemble.AdaBoostClassifier, Z: Array) -> TreeEnsemble:
    """The weighted vote itself is the log-odds (Friedman, Hastie & Tibshirani 2000); divided by its weights, as
    scikit-learn has it, the ranking is the same and the probability says too little."""
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
    """The share of yes in every node."""
    counts = tree.tree_.value[:, 0, :]
    yes = np.flatnonzero(tree.classes_ == 1)
    return np.asarray(counts[:, yes].sum(1) / counts.sum(1))


def _smoothed(tree: DecisionTreeClassifier) -> Array:
    """The share of yes in every node, had it two more rows at the overall share (an m-estimate, Cestnik 1990)."""
    share, rows = _share(tree), tree.tree_.weighted_n_node_samples
    return np.asarray((share * rows + 2 * share[0]) / (rows + 2))


def _nodes(fitted: Any, value: Array) -> TreeNodes:
    """A scikit-learn tree with a value of its own per node."""
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

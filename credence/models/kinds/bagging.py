"""Bagging: one estimator fitted to bootstrap samples of the rows; each fit is a draw."""

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier

from credence.model import Labels
from credence.models.tabular import TabularModel
from credence.models.tabular.fast_predict import ScorerSet, forest_scorer, to_fast_scorer
from credence.statistics.uncertainty import Array


class Bagging(TabularModel):
    """Bagging (Breiman 1996)."""

    base: Literal["tree", "logistic"] = Field("tree", description="estimator")
    members: int = Field(20, ge=1, description="number of estimators per fold")
    min_leaf: int = Field(5, ge=1, description="fewest rows per leaf, for trees")
    C: float = Field(1.0, gt=0, description="inverse of the L2 penalty, for logistic regressions")

    def _learn(self, Z: Array, y: Labels) -> Any:
        rng = np.random.default_rng(self.seed)
        fitted = [self._estimator(y[rows]).fit(Z[rows], y[rows]) for rows in self._samples(y, rng)]
        return (
            forest_scorer(fitted, Z.shape[1])
            if self.base == "tree"
            else ScorerSet([to_fast_scorer(one, Z) for one in fitted])
        )

    def _estimator(self, y: Labels) -> Any:
        if self.base == "logistic":
            return LogisticRegression(C=self.C, max_iter=1000)
        return DecisionTreeClassifier(min_samples_leaf=self.min_leaf, max_features=0.5, random_state=self.seed)

    def _samples(self, y: Labels, rng: np.random.Generator) -> list[NDArray[np.intp]]:
        """Draw row numbers with replacement within each label, so that every sample has both."""
        answers = [np.flatnonzero(y == 0), np.flatnonzero(y == 1)]
        return [np.concatenate([rng.choice(rows, len(rows)) for rows in answers]) for _ in range(self.members)]

    @classmethod
    def search_space(cls, trial: Any) -> dict[str, Any]:
        """Suggest the estimator and its regularization."""
        return {
            "base": trial.suggest_categorical("base", ["tree", "logistic"]),
            "min_leaf": trial.suggest_int("min_leaf", 1, 100, log=True),
            "C": trial.suggest_float("C", 1e-3, 1e2, log=True),
        }

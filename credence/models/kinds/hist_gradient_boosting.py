"""Gradient boosting on binned columns with early stopping within the fold (scikit-learn)."""

from typing import Any

from pydantic import Field
from sklearn.ensemble import HistGradientBoostingClassifier

from credence.model import Labels
from credence.models.tabular import TabularModel

PATIENCE_ROUNDS = 20
MIN_ROUNDS = 50


class HistGradientBoosting(TabularModel):
    """Histogram-based gradient boosting with early stopping after 20 rounds without progress.

    If the validation rows hold fewer than two rows of the rarer label, 50 trees are fitted without early stopping.
    """

    native = True
    rounds: int = Field(500, ge=1, description="largest number of trees")
    learning_rate: float = Field(0.05, gt=0, le=1, description="factor of each tree")
    leaves: int = Field(15, ge=2, description="most leaves per tree")
    min_leaf: int = Field(10, ge=1, description="fewest rows per leaf")
    l2: float = Field(1.0, ge=0, description="L2 penalty of leaf values")
    columns: float = Field(0.5, gt=0, le=1, description="share of the columns that each split may choose from")
    validation: float = Field(0.1, gt=0, lt=0.5, description="share of the fold's rows used for early stopping")

    def _estimator(self, y: Labels) -> Any:
        watched = self._watched(y)
        return HistGradientBoostingClassifier(
            max_iter=self.rounds if watched else min(self.rounds, MIN_ROUNDS),
            learning_rate=self.learning_rate,
            max_leaf_nodes=self.leaves,
            min_samples_leaf=self.min_leaf,
            l2_regularization=self.l2,
            max_features=self.columns,
            early_stopping=watched,
            validation_fraction=self.validation,
            n_iter_no_change=PATIENCE_ROUNDS,
            categorical_features=None,
            random_state=self.seed,
        )

    def _watched(self, y: Labels) -> bool:
        return bool(min(y.sum(), len(y) - y.sum()) * self.validation >= 2)

    @classmethod
    def search_space(cls, trial: Any) -> dict[str, Any]:
        """Suggest learning rate, size of trees and regularization."""
        return {
            "learning_rate": trial.suggest_float("learning_rate", 0.01, 0.3, log=True),
            "leaves": trial.suggest_int("leaves", 3, 63, log=True),
            "min_leaf": trial.suggest_int("min_leaf", 2, 100, log=True),
            "l2": trial.suggest_float("l2", 1e-3, 100, log=True),
            "columns": trial.suggest_float("columns", 0.2, 1.0),
        }

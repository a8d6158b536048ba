"""Stochastic gradient boosting with exact splits, for small data."""

from typing import Any

from pydantic import Field
from sklearn.ensemble import GradientBoostingClassifier

from credence.model import Labels
from credence.models.tabular import TabularModel


class GradientBoosting(TabularModel):
    """Stochastic gradient boosting (Friedman 2002)."""

    rounds: int = Field(150, ge=1, description="number of trees")
    learning_rate: float = Field(0.05, gt=0, le=1, description="factor of each tree")
    depth: int = Field(3, ge=1, le=12, description="depth of each tree")
    min_leaf: int = Field(5, ge=1, description="fewest rows per leaf")
    subsample: float = Field(0.7, gt=0, le=1, description="share of the rows that each tree is fitted to")

    def _estimator(self, y: Labels) -> Any:
        return GradientBoostingClassifier(
            n_estimators=self.rounds,
            learning_rate=self.learning_rate,
            max_depth=self.depth,
            min_samples_leaf=self.min_leaf,
            subsample=self.subsample,
            max_features="sqrt",
            random_state=self.seed,
        )

    @classmethod
    def search_space(cls, trial: Any) -> dict[str, Any]:
        """Suggest number and size of trees, learning rate and share of rows."""
        return {
            "rounds": trial.suggest_int("rounds", 50, 600, log=True),
            "learning_rate": trial.suggest_float("learning_rate", 0.01, 0.2, log=True),
            "depth": trial.suggest_int("depth", 1, 6),
            "min_leaf": trial.suggest_int("min_leaf", 1, 50, log=True),
            "subsample": trial.suggest_float("subsample", 0.4, 1.0),
        }

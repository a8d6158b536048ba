"""AdaBoost: shallow trees, each fitted with more weight on rows that the ones before got wrong."""

from typing import Any

from pydantic import Field
from sklearn.ensemble import AdaBoostClassifier
from sklearn.tree import DecisionTreeClassifier

from credence.model import Labels
from credence.models.tabular import TabularModel


class AdaBoost(TabularModel):
    """AdaBoost with trees (Freund & Schapire 1997)."""

    rounds: int = Field(100, ge=1, description="number of trees")
    depth: int = Field(2, ge=1, le=10, description="depth of each tree")
    learning_rate: float = Field(0.2, gt=0, le=2, description="factor of each tree's weight")

    def _estimator(self, y: Labels) -> Any:
        tree = DecisionTreeClassifier(max_depth=self.depth)
        return AdaBoostClassifier(
            tree, n_estimators=self.rounds, learning_rate=self.learning_rate, random_state=self.seed
        )

    @classmethod
    def search_space(cls, trial: Any) -> dict[str, Any]:
        """Suggest number of trees, depth and learning rate."""
        return {
            "rounds": trial.suggest_int("rounds", 25, 500, log=True),
            "depth": trial.suggest_int("depth", 1, 4),
            "learning_rate": trial.suggest_float("learning_rate", 0.05, 1.5, log=True),
        }

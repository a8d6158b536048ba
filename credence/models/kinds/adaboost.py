"""AdaBoost: shallow trees, each weighing more what the ones before it got wrong (Freund & Schapire 1997)."""

from typing import Any

from pydantic import Field
from sklearn.ensemble import AdaBoostClassifier
from sklearn.tree import DecisionTreeClassifier

from credence.model import Labels
from credence.models.tabular import TabularModel


class AdaBoost(TabularModel):
    """`rounds` trees of `depth`, each of whose votes counts `learning_rate` as much as the method says."""

    rounds: int = Field(100, ge=1)
    depth: int = Field(2, ge=1, le=10)
    learning_rate: float = Field(0.2, gt=0, le=2)

    def _estimator(self, y: Labels) -> Any:
        tree = DecisionTreeClassifier(max_depth=self.depth)
        return AdaBoostClassifier(
            tree, n_estimators=self.rounds, learning_rate=self.learning_rate, random_state=self.seed
        )

    @classmethod
    def search_space(cls, trial: Any) -> dict[str, Any]:
        """How many trees, how deep, how fast."""
        return {
            "rounds": trial.suggest_int("rounds", 25, 500, log=True),
            "depth": trial.suggest_int("depth", 1, 4),
            "learning_rate": trial.suggest_float("learning_rate", 0.05, 1.5, log=True),
        }

"""Random forest: trees on bootstrap samples, each split among a random subset of columns (Breiman 2001)."""

from typing import Any, ClassVar, Literal

from pydantic import Field
from sklearn.ensemble import RandomForestClassifier

from credence.model import Labels
from credence.models.tabular import TabularModel


class RandomForest(TabularModel):
    """`trees` of them; leaves of at least `min_leaf` rows; `columns` is the share that a split may choose from."""

    grown_by: ClassVar[Any] = RandomForestClassifier
    trees: int = Field(200, ge=1)
    min_leaf: int = Field(3, ge=1)
    columns: Literal["sqrt"] | float = "sqrt"

    def _estimator(self, y: Labels) -> Any:
        return self.grown_by(
            n_estimators=self.trees, min_samples_leaf=self.min_leaf, max_features=self.columns, random_state=self.seed
        )

    @classmethod
    def search_space(cls, trial: Any) -> dict[str, Any]:
        """The size of leaves and the choice at splits."""
        return {
            "min_leaf": trial.suggest_int("min_leaf", 1, 50, log=True),
            "columns": trial.suggest_categorical("columns", ["sqrt", 0.3, 0.6, 1.0]),
        }

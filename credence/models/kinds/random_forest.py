"""Random forest: trees on bootstrap samples, with a random subset of columns at each split."""

from typing import Any, ClassVar, Literal

from pydantic import Field
from sklearn.ensemble import RandomForestClassifier

from credence.model import Labels
from credence.models.tabular import TabularModel


class RandomForest(TabularModel):
    """Random forest (Breiman 2001)."""

    grown_by: ClassVar[Any] = RandomForestClassifier
    trees: int = Field(200, ge=1, description="number of trees")
    min_leaf: int = Field(3, ge=1, description="fewest rows per leaf")
    columns: Literal["sqrt"] | float = Field(
        "sqrt",
        description="share of the columns that each split may choose from; `sqrt` is the square root of their number",
    )

    def _estimator(self, y: Labels) -> Any:
        return self.grown_by(
            n_estimators=self.trees, min_samples_leaf=self.min_leaf, max_features=self.columns, random_state=self.seed
        )

    @classmethod
    def search_space(cls, trial: Any) -> dict[str, Any]:
        """Suggest size of leaves and columns per split."""
        return {
            "min_leaf": trial.suggest_int("min_leaf", 1, 50, log=True),
            "columns": trial.suggest_categorical("columns", ["sqrt", 0.3, 0.6, 1.0]),
        }

"""Logistic regression whose lines may bend: the model to beat, and the one that explains itself exactly."""

from dataclasses import replace
from typing import Any

from pydantic import Field
from sklearn.linear_model import LogisticRegression

from credence.model import Labels
from credence.models.tabular import TabularModel
from credence.models.tabular.encoding import TableEncoding


class Logistic(TabularModel):
    """`C` is the inverse of the L2 penalty: smaller shrinks more. `knots` is how often a number's line may bend.

    Columns are selected or left out as a whole, so lines are straight where `select` or `drop_collinear` is set.
    """

    C: float = Field(0.3, gt=0)
    knots: int = Field(3, ge=0, le=20)

    def _encoding(self) -> TableEncoding:
        straight = self.select is not None or self.drop_collinear is not None
        return replace(super()._encoding(), knots=0 if straight else self.knots)

    def _estimator(self, y: Labels) -> Any:
        return LogisticRegression(C=self.C, max_iter=1000)

    @classmethod
    def search_space(cls, trial: Any) -> dict[str, Any]:
        """How strong the penalty is and how far lines may bend."""
        return {"C": trial.suggest_float("C", 1e-3, 1e2, log=True), "knots": trial.suggest_int("knots", 0, 8)}

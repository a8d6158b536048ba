"""Logistic regression with linear splines: the baseline, with exact contributions per column."""

from dataclasses import replace
from typing import Any

from pydantic import Field
from sklearn.linear_model import LogisticRegression

from credence.model import Labels
from credence.models.tabular import TabularModel
from credence.models.tabular.encoding import TableEncoding


class Logistic(TabularModel):
    """Logistic regression with an L2 penalty."""

    C: float = Field(0.3, gt=0, description="inverse of the penalty: smaller shrinks more")
    knots: int = Field(
        3,
        ge=0,
        le=20,
        description="Spline knots per number; 0 is a straight line. Ignored with `select` or `drop_collinear`.",
    )

    def _encoding(self) -> TableEncoding:
        straight = self.select is not None or self.drop_collinear is not None
        return replace(super()._encoding(), knots=0 if straight else self.knots)

    def _estimator(self, y: Labels) -> Any:
        return LogisticRegression(C=self.C, max_iter=1000)

    @classmethod
    def search_space(cls, trial: Any) -> dict[str, Any]:
        """Suggest penalty and number of knots."""
        return {"C": trial.suggest_float("C", 1e-3, 1e2, log=True), "knots": trial.suggest_int("knots", 0, 8)}

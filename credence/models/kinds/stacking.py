"""Stacking: several kinds combined by non-negative weights of their log-odds, fitted out of fold."""

import numpy as np
from pydantic import Field

from credence.model import Labels
from credence.models.tabular import part_of_rows
from credence.models.tabular.encoding import Table
from credence.models.tabular.ensembling import (
    EnsembleModel,
    WeightedEnsemble,
    best_weights,
    equal_weights,
    log_odds,
)
from credence.statistics.cross_validation import stratified_folds


class Stacking(EnsembleModel):
    """Stacking (Breiman 1996)."""

    inner: int = Field(
        3,
        ge=2,
        description="number of inner folds, within each fold, whose out-of-fold log-odds the weights are fitted to",
    )

    def _member(self, table: Table, y: Labels) -> WeightedEnsemble:
        odds, folds = np.zeros((len(y), len(self.members))), stratified_folds(y, self.inner, self.seed)
        for train, test in folds:
            odds[test] = log_odds(self._fit_members(part_of_rows(table, train), y[train]), part_of_rows(table, test))
        weights = best_weights(odds, y) if folds else equal_weights(len(self.members))
        return WeightedEnsemble(self._fit_members(table, y), weights)

"""Stacking: non-negative weights for the log-odds of several kinds, learned on rows new to them (Breiman 1996)."""

import numpy as np
from pydantic import Field

from credence.model import Labels
from credence.models.tabular import part_of_rows
from credence.models.tabular.encoding import Table
from credence.models.tabular.ensembling import Ensemble, EnsembleModel, best_weights, equal_weights, log_odds
from credence.statistics.cross_validation import stratified_folds


class Stacking(EnsembleModel):
    """`members` are kinds with their parameters; `inner` folds inside every fold yield the rows for the weights."""

    inner: int = Field(3, ge=2)

    def _member(self, table: Table, y: Labels) -> Ensemble:
        odds, dealt = np.zeros((len(y), len(self.members))), stratified_folds(y, self.inner, self.seed)
        for train, held in dealt:
            odds[held] = log_odds(self._opinions(part_of_rows(table, train), y[train]), part_of_rows(table, held))
        return Ensemble(self._opinions(table, y), best_weights(odds, y) if dealt else equal_weights(len(self.members)))

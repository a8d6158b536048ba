"""Soft voting: several kinds answer, each a draw, and the probability is their mean."""

from credence.model import Labels
from credence.models.tabular.encoding import Table
from credence.models.tabular.ensembling import Ensemble, EnsembleModel


class Voting(EnsembleModel):
    """`members` are kinds with their parameters; every one of every fold is a draw."""

    def _member(self, table: Table, y: Labels) -> Ensemble:
        return Ensemble(self._opinions(table, y))

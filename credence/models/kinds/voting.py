"""Soft voting: the mean probability of several kinds; each member is a draw."""

from credence.model import Labels
from credence.models.tabular.encoding import Table
from credence.models.tabular.ensembling import EnsembleModel, WeightedEnsemble


class Voting(EnsembleModel):
    """Soft voting; every member of every fold is a draw."""

    def _member(self, table: Table, y: Labels) -> WeightedEnsemble:
        return WeightedEnsemble(self._fit_members(table, y))

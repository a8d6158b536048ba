"""Soft voting: several kinds answer, each a draw, and the probability is their mean."""

from credence.models import Labels
from credence.tabular.committee import Committee, CommitteeModel
from credence.tabular.encoding import Table


class Voting(CommitteeModel):
    """`members` are kinds with their parameters; every one of every fold is a draw."""

    def _member(self, table: Table, y: Labels) -> Committee:
        return Committee(self._opinions(table, y))

"""How often test rows have judged before: the gate's memory, without which a stable split is spent unnoticed."""

import math
from typing import Self

import pandas as pd

from credence.kinds import Strict
from credence.rows import hash_of


class Looks(Strict):
    """Every pair of predictors compared so far, and how many comparisons each test row took part in."""

    pairs: list[str] = []
    times: dict[str, int] = {}

    def before(self, row_ids: pd.Series, challenger: str, champion: str | None) -> int:
        """How many looks these rows have given: their mean, rounded up. The same pair again shows nothing new."""
        pair, rows = _pair(challenger, champion), row_ids.map(hash_of)
        counts = rows.map(lambda r: self.times.get(r, 0))
        looks = math.ceil(counts.mean()) if len(counts) else 0
        return max(looks - 1, 0) if pair in self.pairs else looks

    def after(self, row_ids: pd.Series, challenger: str, champion: str | None) -> Self:
        """The memory once this pair has been compared on these rows."""
        pair = _pair(challenger, champion)
        if pair in self.pairs:
            return self
        times = dict(self.times)
        for row in row_ids.map(hash_of).unique():
            times[row] = times.get(row, 0) + 1
        return type(self)(pairs=[*self.pairs, pair], times=times)


def _pair(challenger: str, champion: str | None) -> str:
    return f"{challenger} against {champion or 'nobody'}"

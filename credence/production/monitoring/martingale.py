"""Exchangeability martingale over all windows; a high value signals drift (Vovk et al. 2005)."""

from typing import Self

import numpy as np
import pandas as pd
from crepes.martingales import SimpleJumper
from numpy.typing import NDArray
from pydantic import Field

from credence.core.registry import StrictModel
from credence.production.monitoring.column_statistics import GAPS, ColumnStatistic, TraitKind
from credence.statistics.metrics import Bools
from credence.statistics.paired_comparison import alpha_for_look
from credence.statistics.uncertainty import Array

BINS = 20
MAX_REMEMBERED_ROWS = 4096
ROWS_A_ROUND = 5000
MAX_LOG_CAPITAL = 1e12


class MartingaleState(StrictModel):
    """Capital and row counts by bin for one statistic."""

    capital: float
    counts: list[int]


class MartingaleMemory(StrictModel):
    """State that the next window needs to continue the martingales."""

    version: str
    until: str = Field("", description="time of the newest record that was used")
    rounds: int = Field(0, description="windows since the last alarm")
    rows: int = 0
    alarms: int = 0
    bets: dict[str, MartingaleState] = {}
    recent: list[str] = Field([], description="content hashes of the newest rows, to recognize copies")

    @classmethod
    def of(cls, version: str, earlier: Self | None) -> Self:
        """The earlier state if it is of this version; else a new one."""
        return earlier if earlier is not None and earlier.version == version else cls(version=version)

    def contents(self) -> NDArray[np.uint64]:
        """Hashes of the newest rows."""
        return np.array([int(k, 16) for k in self.recent], np.uint64)


class MartingaleResult(StrictModel):
    """Value of the martingales on this window, relative to the alarm threshold."""

    alarm: bool
    trait: str | None = Field(description="the statistic with the highest value")
    evidence: float = Field(description="its value as a share of the alarm threshold")
    alpha: float = Field(description="probability that this predictor ever gets a false alarm")
    rows: int = Field(description="rows that were new in this window")
    memory: MartingaleMemory


class _Scale:
    """Bins of one statistic: quantile bins or one per category; the last bin is for all other values."""

    def __init__(self, kind: TraitKind, learned: pd.Series) -> None:
        self.kind, there = kind, learned.dropna()
        if kind == "category":
            self.levels = list(there.astype(str).value_counts().index[:BINS])
            self.bins = len(self.levels) + 1
        else:
            cuts = np.quantile(there.to_numpy(float), np.linspace(0, 1, BINS + 1)[1:-1]) if len(there) else []
            self.edges: Array = np.unique(cuts)
            self.bins = len(self.edges) + 2

    def __call__(self, values: pd.Series) -> NDArray[np.intp]:
        if self.kind == "category":
            return np.asarray(
                values.astype(str).map({v: i for i, v in enumerate(self.levels)}).fillna(self.bins - 1), np.intp
            )
        bins = np.searchsorted(self.edges, values.to_numpy(float), side="right")
        return np.where(values.isna(), self.bins - 1, bins)


def update_martingale(
    found: list[ColumnStatistic],
    keys: NDArray[np.uint64],
    fresh: Bools,
    times: pd.Series,
    share: float,
    alpha: float,
    memory: MartingaleMemory,
) -> MartingaleResult:
    """Update the martingales with the rows of a window.

    Args:
        found: The column statistics; dates and missing-value indicators are not used.
        keys: Content hash of each row, shape (rows,).
        fresh: Marks rows that are not copies, shape (rows,); the others do not count.
        times: Time of each row, increasing; rows not newer than the last update do not count.
        share: Share of the fresh rows that is used, drawn at random.
        alpha: Probability that this predictor ever gets a false alarm.
        memory: The state after the window before.
    """
    if memory.until:
        fresh = fresh & (times > pd.Timestamp(memory.until)).to_numpy()
    new = _sample(np.flatnonzero(fresh), share, memory.rows)
    found = [t for t in found if t.kind != "date" and t.name != GAPS]
    level = alpha_for_look(memory.alarms + 1, alpha) / max(len(found), 1)
    if not len(new) or not found:
        return MartingaleResult(alarm=False, trait=None, evidence=0.0, alpha=alpha, rows=0, memory=memory)
    winnings, bets = _round(found, new, memory)
    best = max(winnings, key=lambda name: winnings[name])
    evidence = winnings[best] * level
    after = _next_memory(memory, bets, keys[fresh], times, evidence >= 1)
    return MartingaleResult(
        alarm=evidence >= 1, trait=best, evidence=evidence, alpha=alpha, rows=len(new), memory=after
    )


def _sample(rows: NDArray[np.intp], share: float, seed: int) -> NDArray[np.intp]:
    kept = min(ROWS_A_ROUND, max(1, round(share * len(rows))), len(rows))
    return np.sort(np.random.default_rng(seed).choice(rows, kept, replace=False))


def _round(
    found: list[ColumnStatistic], new: NDArray[np.intp], memory: MartingaleMemory
) -> tuple[dict[str, float], dict[str, MartingaleState]]:
    """Best value of each martingale, and its state for the next round.

    Round k adds new capital of 1 / (k (k + 1)), so a long time without drift cannot lose all of it.
    """
    k, winnings, bets = memory.rounds + 1, {}, {}
    random = np.random.default_rng([memory.rows, memory.alarms])
    for trait in found:
        scale = _Scale(trait.kind, trait.before.iloc[::2])
        old = memory.bets.get(trait.title)
        counts = (
            np.bincount(scale(trait.before.iloc[1::2]), minlength=scale.bins) if old is None else np.array(old.counts)
        )
        now = scale(trait.now.iloc[new])
        p = p_values(now, counts, random.random(len(new)))
        stake = (old.capital if old else 0.0) + 1 / (k * (k + 1))
        won = stake * SimpleJumper().apply(p)
        winnings[trait.title] = float(won.max()) + 1 / (k + 1)
        bets[trait.title] = MartingaleState(
            capital=min(float(won[-1]), MAX_LOG_CAPITAL),
            counts=(counts + np.bincount(now, minlength=scale.bins)).tolist(),
        )
    return winnings, bets


def p_values(bins: NDArray[np.intp], counts: NDArray[np.intp], ties: Array) -> Array:
    """Conformal p-value of each row among all rows before it, with ties broken at random (Vovk et al. 2005, 2.2).

    They are independent and uniform as long as all rows, including those in `counts`, are exchangeable.

    Args:
        bins: Bin of each row, shape (rows,).
        counts: Earlier rows by bin, shape (bins,).
        ties: Uniform random numbers, shape (rows,).
    """
    one_hot = np.eye(len(counts))[bins]
    before, row = np.cumsum(one_hot, axis=0) - one_hot + counts, np.arange(len(bins))
    above = before.sum(1) - np.cumsum(before, axis=1)[row, bins]
    return np.asarray((above + ties * (before[row, bins] + 1)) / (before.sum(1) + 1))


def _next_memory(
    memory: MartingaleMemory, bets: dict[str, MartingaleState], keys: NDArray[np.uint64], times: pd.Series, alarm: bool
) -> MartingaleMemory:
    """The state after this window; after an alarm all martingales restart with a smaller error rate."""
    recent = list(dict.fromkeys([*memory.recent, *(f"{k:016x}" for k in keys.tolist())]))[-MAX_REMEMBERED_ROWS:]
    restart = {name: MartingaleState(capital=0.0, counts=b.counts) for name, b in bets.items()}
    return MartingaleMemory(
        version=memory.version,
        until=pd.Timestamp(times.max()).isoformat(),
        rounds=0 if alarm else memory.rounds + 1,
        rows=memory.rows + len(keys),
        alarms=memory.alarms + alarm,
        bets=restart if alarm else bets,
        recent=recent,
    )

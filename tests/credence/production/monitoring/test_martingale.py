"""The bet over all windows: fair as long as nothing changes, however long; it wins where something does."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import binom, kstest

from benchmarks.drift_rates import stream
from credence.production.monitoring.column_statistics import ColumnStatistic, TraitKind
from credence.production.monitoring.martingale import MartingaleMemory, MartingaleResult, p_values, update_martingale

START = pd.Timestamp("2025-03-01", tz="UTC")
REFERENCE = np.random.default_rng(0).normal(size=1000)


def bets(
    now: NDArray[np.float64],
    earlier: MartingaleMemory | None = None,
    first: int = 0,
    keys: NDArray[np.uint64] | None = None,
    kind: TraitKind = "number",
    before: pd.Series | None = None,
    alpha: float = 0.01,
) -> MartingaleResult:
    """A window of one trait, a row a second."""
    n = len(now)
    times = pd.Series(START + pd.to_timedelta(first + np.arange(n), unit="s"))
    trait = ColumnStatistic("x", "values", kind, pd.Series(REFERENCE) if before is None else before, pd.Series(now))
    keys = np.arange(first, first + n, dtype=np.uint64) if keys is None else keys
    return update_martingale(
        [trait], keys, np.full(n, True), times, 1.0, alpha, earlier or MartingaleMemory(version="3")
    )


@given(st.lists(st.integers(0, 4), min_size=1, max_size=40), st.lists(st.integers(0, 9), min_size=5, max_size=5))
def test_p_values_are_the_smoothed_ranks_among_all_rows_before(bins: list[int], counts: list[int]) -> None:
    ties = np.random.default_rng(0).random(len(bins))
    seen = [b for b, n in enumerate(counts) for _ in range(n)]
    expected = []
    for b, tie in zip(bins, ties, strict=True):
        expected.append((sum(s > b for s in seen) + tie * (seen.count(b) + 1)) / (len(seen) + 1))
        seen.append(b)
    assert p_values(np.array(bins), np.array(counts), ties) == pytest.approx(expected)


def test_p_values_of_exchangeable_rows_are_uniform() -> None:
    random = np.random.default_rng(1)
    rows = random.choice(5, 6000, p=[0.5, 0.2, 0.1, 0.1, 0.1])
    p = p_values(rows[500:], np.bincount(rows[:500], minlength=5), random.random(5500))
    assert kstest(p, "uniform").pvalue > 0.001


def test_a_shift_wins_and_quiet_rows_do_not() -> None:
    random = np.random.default_rng(2)
    quiet = bets(random.normal(size=1000))
    assert not quiet.alarm and quiet.evidence < 0.5 and quiet.rows == 1000
    moved = bets(random.normal(0.5, 1, 1000), quiet.memory, 1000)
    assert moved.alarm and moved.trait == "x" and moved.evidence >= 1


def test_a_long_quiet_time_does_not_lose_the_money_that_finds_the_shift() -> None:
    random, memory = np.random.default_rng(3), None
    for k in range(60):
        memory = bets(random.normal(size=200), memory, 200 * k).memory
    assert memory is not None and memory.rounds == 60
    assert bets(random.normal(1, 1, 400), memory, 12_000).alarm


def test_streams_in_which_nothing_changes_hardly_ever_alarm() -> None:
    random, streams, alarms = np.random.default_rng(4), 100, 0
    for _ in range(streams):
        reference, memory = pd.Series(random.normal(size=400)), None
        for k in range(10):
            found = bets(random.normal(size=200), memory, 200 * k, before=reference, alpha=0.05)
            alarms, memory = alarms + found.alarm, found.memory
    assert alarms <= binom.ppf(0.999, streams, 0.05)


def test_after_an_alarm_the_next_one_needs_more() -> None:
    random = np.random.default_rng(5)
    first = bets(random.normal(1, 1, 500))
    assert first.alarm and first.memory.alarms == 1 and first.memory.rounds == 0
    assert first.memory.bets["x"].capital == 0
    same = bets(np.zeros(1), None, 500), bets(np.zeros(1), first.memory, 500)
    assert same[1].evidence < same[0].evidence


def test_the_bet_goes_on_through_json_and_reads_no_row_twice() -> None:
    random = np.random.default_rng(6)
    rows = random.normal(0.2, 1, 900)
    first = bets(rows[:600])
    again = MartingaleMemory.model_validate_json(first.memory.model_dump_json())
    assert again == first.memory and len(first.memory.model_dump_json()) < 100_000
    overlapping = bets(rows, again)
    assert overlapping.rows == 300 and overlapping == bets(rows[600:], again, 600)
    nothing = bets(rows, overlapping.memory)
    assert nothing.rows == 0 and nothing.memory == overlapping.memory and not nothing.alarm


def test_rows_that_are_not_fresh_are_left_out_and_the_others_thinned() -> None:
    rows, times = np.arange(100.0), pd.Series(START + pd.to_timedelta(np.arange(100), unit="s"))
    trait = ColumnStatistic("x", "values", "number", pd.Series(REFERENCE), pd.Series(rows))
    keys = np.arange(100, dtype=np.uint64)
    found = update_martingale([trait], keys, keys < 40, times, 0.5, 0.01, MartingaleMemory(version="3"))
    assert found.rows == 20 and sum(found.memory.bets["x"].counts) == 500 + 20
    assert found.memory.contents().tolist() == list(range(40))
    assert update_martingale([trait], keys, keys < 0, times, 1.0, 0.01, MartingaleMemory(version="3")).rows == 0


def test_another_version_starts_anew() -> None:
    kept = MartingaleMemory(version="2", rounds=5, rows=10, alarms=2, until="2030-01-01T00:00:00+00:00")
    assert MartingaleMemory.of("2", kept) == kept
    assert MartingaleMemory.of("3", kept) == MartingaleMemory.of("3", None) == MartingaleMemory(version="3")


@pytest.mark.parametrize("new", ["green", None])
def test_categories_and_gaps_are_bet_on(new: str | None) -> None:
    random = np.random.default_rng(8)
    before = pd.Series(random.choice(["red", "blue"], 600))
    now = pd.Series(random.choice(["red", "blue"], 400), dtype=object).mask(random.random(400) < 0.4, new)
    assert bets(now.to_numpy(), kind="category", before=before).alarm
    gaps = np.where(random.random(600) < 0.4, np.nan, random.normal(size=600))
    assert bets(gaps).alarm


def test_a_column_without_any_value_is_no_trouble() -> None:
    empty = pd.Series(np.full(100, np.nan))
    assert not bets(np.full(100, np.nan), before=empty).alarm


@pytest.mark.slow
def test_long_streams_of_several_columns_keep_the_promise() -> None:
    random, streams = np.random.default_rng(9), 200
    alarms = sum(stream(random, 50, 5) is not None for _ in range(streams))
    assert alarms <= binom.ppf(0.999, streams, 0.01)

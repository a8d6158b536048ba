"""The published error rates of monitoring in small, with bounds that luck passes once in a thousand times."""

import numpy as np
import pytest
from scipy.stats import binom

from benchmarks.drift_rates import SHIFTS, WORLDS, evidently_alarms, health, losses, quiet_rates, stream

ALPHA = 0.05


def loud(name: str, windows: int) -> int:
    random = np.random.default_rng(11)
    return sum(health(WORLDS[name], random).verdict != "quiet" for _ in range(windows))


@pytest.mark.parametrize("name", ["normal", "counts, categories, gaps", "window of repeated rows"])
def test_quiet_windows_are_called_quiet(name: str) -> None:
    assert loud(name, 8) <= binom.ppf(0.999, 8, ALPHA)


@pytest.mark.parametrize("shift", [2, 5, 8], ids=lambda i: SHIFTS[i][0])
def test_a_shift_is_found_and_named(shift: int) -> None:
    _, world, change, columns = SHIFTS[shift]
    random = np.random.default_rng(12)
    found = [health(WORLDS[world], random, change) for _ in range(4)]
    assert all(h.verdict == "drift" and columns <= set(h.drift.drifted()) for h in found)


@pytest.mark.slow
def test_evidently_calls_more_columns_drifted_than_there_are() -> None:
    random = np.random.default_rng(13)
    assert sum(evidently_alarms(WORLDS["normal"], random)[0] for _ in range(5)) >= 1


def test_a_shift_after_a_quiet_time_is_found_soon() -> None:
    assert stream(np.random.default_rng(14), 12, 2, change_at=6) in (7, 8, 9)


def test_the_tables_are_markdown() -> None:
    assert [line.count("|") for line in losses(1)] == [6] * 5


@pytest.mark.slow
@pytest.mark.parametrize("name", WORLDS)
def test_quiet_windows_are_called_quiet_as_often_as_promised(name: str) -> None:
    assert loud(name, 200) <= binom.ppf(0.999, 200, ALPHA)


@pytest.mark.slow
def test_the_table_of_quiet_windows_has_every_world() -> None:
    lines = list(quiet_rates(1, 1))
    assert len(lines) == 2 + len(WORLDS) and all(line.count("|") == 7 for line in lines)

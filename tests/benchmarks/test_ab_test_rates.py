"""The comparison's own error rates under a look after every row, simulated."""

import numpy as np
import pytest
from scipy.stats import binom

from benchmarks.trial_rates import ALPHA, BEGIN, DIFFERENT, END, World, decisions, equal, false_decisions, table
from credence.statistics.confidence_sequence import BettingWealth, betting_wealth
from tests.support.project_copy import ROOT

STREAMS = 150


def within(rate: float, streams: int = STREAMS) -> bool:
    """Could so many wrong decisions be luck where the true rate is ALPHA? Refused beyond 1 in 1000."""
    return bool(rate * streams <= binom.ppf(0.999, streams, ALPHA))


@pytest.mark.parametrize("name", list(equal()))
def test_looking_after_every_row_leads_astray_in_at_most_one_case_of_twenty(name: str) -> None:
    wrong, about_these, naive = false_decisions(equal()[name], STREAMS)
    assert within(wrong)
    assert within(about_these)
    assert naive > 5 * ALPHA


def test_equal_worlds_are_equal_and_different_ones_are_not() -> None:
    assert [world.gain() for world in equal().values()] == pytest.approx([0] * 8, abs=1.5e-3)
    signs = [np.sign(round(world.gain(), 3)) for world in DIFFERENT.values()]
    assert signs == [1, 1, 1, 1, 0, -1]


def test_true_differences_are_found() -> None:
    promote, keep = decisions(DIFFERENT["champion has more noise"], 50)
    assert (promote < keep).mean() > 0.9
    promote, keep = decisions(DIFFERENT["challenger has more noise"], 50)
    assert (keep < promote).mean() > 0.9
    assert not np.isfinite(promote).any()


def test_a_challenger_better_by_the_margin_is_rarely_kept_out() -> None:
    promote, keep = decisions(DIFFERENT["champion has a little more noise"], STREAMS)
    assert within(float((keep < promote).mean()))


def test_truths_of_one_request_may_trickle_in() -> None:
    """A request's mean changes as its rows get their truth; looks in between must not lead astray."""
    rng, wrong, size = np.random.default_rng(6), 0, 5
    for _ in range(40):
        drawn = World(size=1).draw(rng, 1, 600)
        own = np.repeat(rng.standard_normal(120), size)  # what a request's rows share beyond their answers
        no, yes = drawn.no[0] + 0.3 * own, drawn.yes[0] + 0.3 * own
        gain = np.where(drawn.truth[0], yes, no)
        wrong += _ever(
            rng.permutation(600), np.repeat(np.arange(120), size), gain, np.minimum(no, yes), np.maximum(no, yes)
        )
    assert within(wrong / 40, 40)


def _ever(order: np.ndarray, request: np.ndarray, gain: np.ndarray, least: np.ndarray, most: np.ndarray) -> bool:
    for seen in range(20, len(order) + 1, 20):
        rows = order[:seen]
        _, place = np.unique(request[rows], return_inverse=True)
        counts = np.bincount(place)
        values, low, high = (np.bincount(place, x[rows]) / counts for x in (gain, least, most))
        if max(w.log() for w in _both(values, low, high)) >= np.log(2 / ALPHA):
            return True
    return False


def _both(values: np.ndarray, low: np.ndarray, high: np.ndarray) -> list[BettingWealth]:
    return [*betting_wealth(values, low), *betting_wealth(-values, -high)]


def test_the_page_shows_what_the_benchmark_prints() -> None:
    page = (ROOT / "docs" / "benchmarks" / "ab-test.md").read_text()
    shown = page[page.index(BEGIN) : page.index(END)]
    printed = [line for line in table(2) if line.startswith("|")]
    assert [line.split("|")[1] for line in printed] == [
        line.split("|")[1] for line in shown.splitlines() if line.startswith("|")
    ]
    rates = [[float(x) for x in line.split("|")[2:4]] for line in shown.splitlines()[5 : 5 + len(equal())]]
    assert len(rates) == len(equal()) and np.max(rates) <= ALPHA

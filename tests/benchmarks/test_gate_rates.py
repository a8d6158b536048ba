"""The gate's own error rates, counted exactly for accuracy and simulated for the other metrics."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom, binomtest

from benchmarks.gate_rates import (
    JUDGED,
    PLAIN,
    Answered,
    World,
    counted,
    exact_rate,
    pairs,
    promoted,
    true_loss,
    world_of,
)
from credence.evaluation.gate import Gate, Side, judge
from credence.statistics.bootstrap import Weights, bootstrap_weights, jackknife_weights
from credence.statistics.paired_comparison import PairedDifference, alpha_for_look
from credence.statistics.uncertainty import sigmoid

ALPHA = 0.05
REPLICATIONS = 400


def within(rate: float, level: float, replications: int = REPLICATIONS) -> bool:
    """Could so many promotions be luck where the true rate is the level? Refused beyond 1 in 1000."""
    return bool(rate * replications <= binom.ppf(0.999, replications, level))


@pytest.mark.parametrize("margin", [0.0, 0.01])
@pytest.mark.parametrize("alpha", [ALPHA, alpha_for_look(1, ALPHA), 0.001])
@pytest.mark.parametrize("rows", [114, 500])
def test_accuracy_keeps_its_level_exactly_however_many_rows_are_disputed(
    rows: int, alpha: float, margin: float
) -> None:
    shares = [max(margin, 0.003), 0.012, 0.02, 0.04, 0.06, 0.1, 0.2]
    assert max(exact_rate(rows, share, -margin, alpha, margin) for share in shares) <= alpha


def test_accuracy_keeps_its_level_exactly_on_two_thousand_rows() -> None:
    assert max(exact_rate(2000, share, -0.01, ALPHA, 0.01) for share in (0.01, 0.012, 0.06)) <= ALPHA


def test_the_exact_count_agrees_with_the_bootstrap() -> None:
    won, lost, y = 9, 4, np.ones(200, bool)
    theirs, ours = np.ones(200, bool), np.ones(200, bool)
    theirs[:won], ours[won : won + lost] = False, False
    new, old = (Side(s.astype(float), s, None, None, "") for s in (ours, theirs))
    found = PairedDifference.of(
        "accuracy", new, old, y, bootstrap_weights(None, 200, 4000), jackknife_weights(None, 200)
    )
    exact = counted(won, lost, 200)
    assert found.value == pytest.approx(exact.value)
    assert found.disputed == pytest.approx(exact.disputed)
    assert found.error == pytest.approx(exact.error, rel=0.03)


def test_the_worlds_are_as_bad_as_they_say() -> None:
    assert world_of("accuracy", 0).noise == PLAIN
    for metric in JUDGED:
        assert true_loss(metric, world_of(metric, 0.01)) == pytest.approx(0.01, abs=2e-4)
    assert true_loss("auroc", World()) == pytest.approx(0, abs=5e-4)


@pytest.mark.parametrize("per_key", [1, 5])
@pytest.mark.parametrize("rows", [114, 500, 2000])
@pytest.mark.parametrize("metric", JUDGED)
def test_an_equal_challenger_is_rarely_promoted(metric: str, rows: int, per_key: int) -> None:
    replications = REPLICATIONS if rows < 2000 else 100
    found = pairs(metric, 0, rows, per_key, replications, resamples=200)
    assert within(promoted(found, ALPHA, 0), ALPHA, replications)
    assert within(promoted(found, alpha_for_look(1, ALPHA), 0), alpha_for_look(1, ALPHA), replications)


@pytest.mark.parametrize("per_key", [1, 5])
@pytest.mark.parametrize("rows", [114, 500, 2000])
@pytest.mark.parametrize("metric", JUDGED)
def test_a_challenger_worse_by_the_margin_is_rarely_promoted(metric: str, rows: int, per_key: int) -> None:
    replications = REPLICATIONS if rows < 2000 else 100
    found = pairs(metric, -0.01, rows, per_key, replications, resamples=200)
    assert within(promoted(found, ALPHA, 0.01), ALPHA, replications)


def test_the_naive_percentile_bound_would_be_too_liberal() -> None:
    """What the correction is for: with as few disputed rows, the plain normal bound promotes too often."""
    shares = np.linspace(0.01, 0.04, 7)
    rates = [_plain_rate(114, share, 0.01) for share in shares]
    assert max(rates) > 1.5 * ALPHA
    assert max(exact_rate(114, share, -0.01, ALPHA, 0.01) for share in shares) <= ALPHA


def _plain_rate(rows: int, disputed: float, margin: float) -> float:
    rate, p, q = 0.0, (disputed - margin) / 2, (disputed + margin) / 2
    for won in range(20):
        for lost in range(20):
            pair = counted(won, lost, rows)
            if won + lost and pair.value - 1.645 * pair.error > -margin:
                rate += binom.pmf(won, rows, p) * binom.pmf(lost, rows - won, q / (1 - p))
    return rate


def test_better_challengers_get_through() -> None:
    """Power: as often as the smallest detectable difference promises, and more with more rows."""
    rates = [promoted(pairs("accuracy", 0.03, rows, 1, 200, 200), ALPHA, 0) for rows in (114, 500, 2000)]
    assert rates[0] < rates[1] < rates[2]
    assert rates[2] > 0.95


def test_the_detectable_difference_is_found_in_four_of_five_test_parts() -> None:
    disputed, rows = 0.08, 1000
    likely = counted(round(0.055 * rows), round(0.025 * rows), rows)
    assert exact_rate(rows, disputed, likely.detectable(ALPHA), ALPHA, 0) == pytest.approx(0.8, abs=0.04)


def test_rare_confident_mistakes_exceed_the_level_but_not_by_far() -> None:
    """A known limit, told in docs/benchmarks/gate.md: no bound sees a fault that never struck on the test rows."""
    rate = promoted(pairs("auroc", -0.01, 114, 1, REPLICATIONS, 200, flipped=True), ALPHA, 0.01)
    assert rate < 0.13


@pytest.mark.parametrize(("margin", "better"), [(0.0, 0.0), (0.01, -0.01)])
def test_the_whole_gate_keeps_its_level(margin: float, better: float) -> None:
    world, rng, gate = world_of("accuracy", -better), np.random.default_rng(3), Gate(margin=margin, resamples=200)
    promotions = 0
    for _ in range(200):
        pi, weaker, stronger = world.draw(rng, 114, 1)
        rows = pd.DataFrame({"label": rng.random(114) < pi, "group": "all", "key": np.arange(114).astype(str)})
        new, old = (Side(sigmoid(z), z >= 0, None, None, "") for z in (weaker, stronger))
        promotions += judge(new, old, rows, 0.4, gate).outcome == "promote"
    assert within(promotions / 200, alpha_for_look(1, ALPHA), 200)


def test_a_useless_challenger_hardly_ever_beats_the_constant() -> None:
    rng, gate, promotions = np.random.default_rng(4), Gate(resamples=200), 0
    for _ in range(200):
        p = sigmoid(-0.4 + 0.3 * rng.standard_normal(114))
        rows = pd.DataFrame({"label": rng.random(114) < 0.4, "group": "all", "key": np.arange(114).astype(str)})
        promotions += judge(Side(p, p >= 0.5, None, None, ""), None, rows, 0.4, gate).outcome == "promote"
    assert binomtest(promotions, 200, ALPHA, "greater").pvalue > 0.001


def test_fifty_looks_at_equal_challengers_stay_within_the_level() -> None:
    """The adaptive game: a new equal challenger every week, judged on the same 500 rows, until one gets through."""
    rng, drawn, left = np.random.default_rng(5), bootstrap_weights(None, 500, 200), jackknife_weights(None, 500)
    games = [_game(rng, drawn, left, looks=50) for _ in range(40)]
    assert within(float(np.mean([spending for spending, _ in games])), ALPHA, 40)
    assert np.mean([naive for _, naive in games]) > 5 * ALPHA


def _game(rng: np.random.Generator, drawn: Weights, left: Weights, looks: int) -> tuple[bool, bool]:
    """Is an equal challenger ever promoted, with alpha spending and without?"""
    truth = 4 * rng.standard_normal(500) - 1
    y, common = rng.random(500) < sigmoid(truth), truth + 0.9 * rng.standard_normal(500)
    champion, *challengers = (Answered.from_logits(common + PLAIN * rng.standard_normal(500)) for _ in range(looks + 1))
    found = [PairedDifference.of("accuracy", challenger, champion, y, drawn, left) for challenger in challengers]
    spending = any(pair.is_better(alpha_for_look(k, ALPHA)) for k, pair in enumerate(found, start=1))
    return spending, any(pair.is_better(ALPHA) for pair in found)

"""How often the gate promotes challengers that are truly worse, equal and better: `python -m benchmarks.gate_rates`."""

import argparse
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy.optimize import brentq
from scipy.stats import binom

from credence.statistics.bootstrap import bootstrap_weights, jackknife_weights
from credence.statistics.metrics import METRICS, Bools
from credence.statistics.paired_comparison import PairedDifference, alpha_for_look
from credence.statistics.uncertainty import Array, sigmoid

JUDGED = ("accuracy", "f1", "recall", "auroc", "log_loss")
TRUTHS = (-0.03, -0.01, 0.0, 0.01, 0.03)
PLAIN = 0.5
MANY = 300_000


@dataclass(frozen=True)
class Answered:
    """Answers as the metrics read them."""

    p: Array
    yes: Bools

    @classmethod
    def from_logits(cls, z: Array) -> "Answered":
        return cls(sigmoid(z), z >= 0)


@dataclass(frozen=True)
class World:
    """Rows whose true log-odds are known, and two predictors that err mostly together: about 5 % of rows are disputed.

    The weaker one has more noise of its own, or turns a share of its answers into confident mistakes (`flipped`). Half
    the variance of everything is shared by the rows of a key.
    """

    noise: float = PLAIN
    flipped: float = 0.0

    def draw(self, rng: np.random.Generator, keys: int, per_key: int) -> tuple[Array, Array, Array]:
        """True probabilities, and the log-odds of the weaker and of the stronger predictor."""
        truth, common, own, other = (_shared(rng, keys, per_key) for _ in range(4))
        truth = 4 * truth - 1
        weaker = truth + 0.9 * common + self.noise * own
        weaker = np.where(rng.random(len(truth)) < self.flipped, -weaker, weaker)
        return sigmoid(truth), weaker, truth + 0.9 * common + PLAIN * other


def _shared(rng: np.random.Generator, keys: int, per_key: int) -> Array:
    alone = rng.standard_normal(keys * per_key)
    return alone if per_key == 1 else np.sqrt(0.5) * (alone + np.repeat(rng.standard_normal(keys), per_key))


def true_loss(metric: str, world: World) -> float:
    """By how much the weaker predictor is truly worse: every row counts as yes and as no, weighted by its chance."""
    pi, weaker, stronger = world.draw(np.random.default_rng(1), MANY, 1)
    y, w = np.repeat([True, False], len(pi)), np.concatenate([pi, 1 - pi])[None]
    scores = [METRICS[metric].of(np.tile(sigmoid(z), 2), np.tile(z >= 0, 2), y, w)[0] for z in (stronger, weaker)]
    return float(scores[0] - scores[1]) * (1 if METRICS[metric].higher_is_better else -1)


@cache
def world_of(metric: str, loss: float, flipped: bool = False) -> World:
    """The world in which the weaker predictor is worse by exactly this loss."""
    if loss == 0:
        return World()
    if flipped:
        return World(flipped=brentq(lambda x: true_loss(metric, World(flipped=x)) - loss, 0, 0.3, xtol=1e-5))
    return World(noise=brentq(lambda x: true_loss(metric, World(noise=x)) - loss, PLAIN, 4, xtol=1e-3))


def pairs(
    metric: str, better: float, rows: int, per_key: int, replications: int, resamples: int = 300, flipped: bool = False
) -> list[PairedDifference]:
    """Comparisons on so many independent test parts of a challenger that is truly better by so much."""
    world, rng = world_of(metric, abs(better), flipped), np.random.default_rng(2)
    keys = np.repeat(np.arange(rows // per_key), per_key)
    drawn, left, found = bootstrap_weights(keys, len(keys), resamples), jackknife_weights(keys, len(keys)), []
    for _ in range(replications):
        pi, *logits = world.draw(rng, rows // per_key, per_key)
        weaker, stronger = map(Answered.from_logits, logits)
        ours, theirs = (stronger, weaker) if better > 0 else (weaker, stronger)
        found.append(PairedDifference.of(metric, ours, theirs, rng.random(len(pi)) < pi, drawn, left))
    return found


def promoted(found: Iterable[PairedDifference], alpha: float, margin: float) -> float:
    """The share of comparisons that would promote."""
    return float(np.mean([pair.is_better(alpha, margin) for pair in found]))


def exact_rate(rows: int, disputed: float, better: float, alpha: float, margin: float) -> float:
    """The promotion rate for accuracy without simulation: summed over all counts of rows won and lost."""
    most = min(rows, int(rows * disputed + 8 * np.sqrt(rows * disputed) + 12))
    won, lost = (grid.ravel() for grid in np.meshgrid(np.arange(most + 1), np.arange(most + 1)))
    won, lost = won[won + lost <= rows], lost[won + lost <= rows]
    p, q = (disputed + better) / 2, (disputed - better) / 2
    chance = binom.pmf(won, rows, p) * binom.pmf(lost, rows - won, q / (1 - p))
    likely = chance > 1e-9
    sure = [counted(w, v, rows).is_better(alpha, margin) for w, v in zip(won[likely], lost[likely], strict=True)]
    return float(chance[likely] @ np.array(sure, float))


def counted(won: int, lost: int, rows: int) -> PairedDifference:
    """The comparison of accuracies that so many rows won and lost amount to."""
    value, each = (won - lost) / rows, np.array([won, lost, rows - won - lost])
    pull = np.array([1 - value, -1 - value, -value])
    second, fourth = each @ pull**2, each @ pull**4
    return PairedDifference(value, np.sqrt(second) / rows, second**2 / fourth if fourth else 0.0, rows, 1.0)


def exact_table() -> Iterable[str]:
    """Markdown: the highest false-promotion rate for accuracy over disputed shares, by level; then the power at 6 %."""
    shares = (0.003, 0.01, 0.012, 0.015, 0.02, 0.03, 0.04, 0.06, 0.1, 0.2)
    for rows in (114, 500, 2000):
        for alpha in (0.05, alpha_for_look(1, 0.05), 0.001):
            worst = [max(exact_rate(rows, s, -m, alpha, m) for s in shares if s >= m) for m in (0.0, 0.01)]
            yield f"| {rows} | {alpha:.4f} | {worst[0]:.4f} / {worst[1]:.4f} |"
    for rows in (114, 500, 2000):
        powers = [" / ".join(f"{exact_rate(rows, 0.06, t, 0.05, m):.3f}" for t in TRUTHS) for m in (0.0, 0.01)]
        yield f"| {rows} | {powers[0]} | {powers[1]} |"


def table(replications: int, resamples: int) -> Iterable[str]:
    """Markdown: one line per metric, size and clustering; promotion rates by true difference."""
    yield "| metric | rows | per key | " + " | ".join(f"{100 * t:+.0f}" for t in TRUTHS) + " |"
    yield "|---|--:|--:|" + "---|" * len(TRUTHS)
    for metric in JUDGED:
        for rows, per_key in ((114, 1), (115, 5), (500, 1), (500, 5), (2000, 1), (2000, 5)):
            cells = [pairs(metric, t, rows, per_key, replications, resamples) for t in TRUTHS]
            yield f"| {metric} | {rows} | {per_key} | " + " | ".join(map(_rates, cells)) + " |"


def _rates(found: list[PairedDifference]) -> str:
    rules = ((0.05, 0.0), (0.05, 0.01), (alpha_for_look(1, 0.05), 0.0))
    return " / ".join(f"{promoted(found, alpha, margin):.3f}" for alpha, margin in rules)


def limits(replications: int, resamples: int) -> Iterable[str]:
    """Where no test part of that size can help: rare, confident mistakes, worse by the margin."""
    for metric in ("accuracy", "auroc", "log_loss"):
        for rows in (114, 500, 2000):
            rate = promoted(pairs(metric, -0.01, rows, 1, replications, resamples, flipped=True), 0.05, 0.01)
            yield f"| {metric} | {rows} | {rate:.3f} |"


def main() -> None:
    """Print all tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replications", type=int, default=2000)
    parser.add_argument("--resamples", type=int, default=300)
    given = parser.parse_args()
    print("accuracy, counted exactly: highest error (equal / worse by the margin) by level; then power by difference\n")
    for line in exact_table():
        print(line, flush=True)
    print("\nsurely better at 95 % / not worse by 1 point at 95 % / surely better at the first look\n")
    for line in table(given.replications, given.resamples):
        print(line, flush=True)
    print("\nrare confident mistakes, worse by the margin of 0.01\n\n| metric | rows | promoted |\n|---|--:|--:|")
    for line in limits(given.replications, given.resamples):
        print(line, flush=True)


if __name__ == "__main__":
    main()

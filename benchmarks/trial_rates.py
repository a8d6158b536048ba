"""How often looking after every row leads a comparison astray: `python -m benchmarks.trial_rates`."""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import log_expit
from scipy.stats import t as student

from credence.statistics.confidence_sequence import log_wealth_path
from credence.statistics.uncertainty import Array, sigmoid

ALPHA, MARGIN, ROWS = 0.05, 0.01, 5000
CERTAIN = 16.1
AT_ONCE = 50
BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Streams:
    """In every row (streams, rows): the chance of yes, the truth, and the challenger's gain if it is no and if yes."""

    chance: Array
    truth: Bools
    no: Array
    yes: Array

    @property
    def gain(self) -> Array:
        """What was gained."""
        return np.where(self.truth, self.yes, self.no)

    @property
    def expected(self) -> Array:
        """What was to be expected before the truth was known."""
        return self.chance * self.yes + (1 - self.chance) * self.no

    def sided(self) -> Iterator[tuple[Array, Array, int]]:
        """The gain, the least that it could have been, and the sign: for the challenger, then for the champion."""
        yield self.gain, np.minimum(self.no, self.yes), 1
        yield -self.gain, -np.maximum(self.no, self.yes), -1

    def mean(self, size: int) -> "Streams":
        """Requests of so many rows in the place of rows."""
        shape = (len(self.gain), -1, size)
        least, most = (f(self.no, self.yes).reshape(shape).mean(2) for f in (np.minimum, np.maximum))
        gain, expected = (x.reshape(shape).mean(2) for x in (self.gain, self.expected))
        return Requests(expected, gain > 0, least, most, gain)


@dataclass(frozen=True)
class Requests(Streams):
    """Means over requests: between the least (`no`) and the most (`yes`) that each could have been."""

    known: Array

    @property
    def gain(self) -> Array:
        """What was gained."""
        return self.known

    @property
    def expected(self) -> Array:
        """What was to be expected before the truth was known."""
        return self.chance


@dataclass(frozen=True)
class World:
    """Log-odds of mean `centre`, of which each side sees a copy with noise of its own and with `shared` noise.

    `wild`: the share of rows in which a side is sure of the opposite. Rows come in requests of `size`, whose rows share
    half the variance of everything.
    """

    champion: float = 0.5
    challenger: float = 0.5
    shared: float = 0.0
    centre: float = -1.0
    wild: tuple[float, float] = (0.0, 0.0)
    size: int = 1

    def draw(self, rng: np.random.Generator, streams: int, rows: int = ROWS) -> Streams:
        """So many streams of so many rows."""
        truth, common, *own = (self._noise(rng, streams, rows) for _ in range(4))
        truth = self.centre + (2.0 if self.centre > -3 else 1.2) * truth
        told = rng.random(truth.shape) < sigmoid(truth)
        sides = []
        for noise, scale, share in zip(own, (self.champion, self.challenger), self.wild, strict=True):
            z = truth + self.shared * common + scale * noise
            opposite = -3 * np.sign(truth) * np.maximum(np.abs(truth), 1)
            sides.append(np.clip(np.where(rng.random(z.shape) < share, opposite, z), -CERTAIN, CERTAIN))
        no, yes = (log_expit(sign * sides[1]) - log_expit(sign * sides[0]) for sign in (-1, 1))
        drawn = Streams(sigmoid(truth), told, no, yes)
        return drawn if self.size == 1 else drawn.mean(self.size)

    def _noise(self, rng: np.random.Generator, streams: int, rows: int) -> Array:
        alone = rng.standard_normal((streams, rows))
        if self.size == 1:
            return alone
        return np.sqrt(0.5) * (alone + np.repeat(rng.standard_normal((streams, rows // self.size)), self.size, axis=1))

    def gain(self) -> float:
        """The challenger's true gain in nats per row."""
        return float(self.draw(np.random.default_rng(1), 80).expected.mean())


@cache
def treacherous(noise: float) -> World:
    """The challenger is better in most rows and sure of the opposite in so many that nothing is gained on the whole."""
    return World(noise, 0.2, wild=(0, brentq(lambda w: World(noise, 0.2, wild=(0, w)).gain(), 0, 0.2, xtol=1e-5)))


def equal() -> dict[str, World]:
    """Worlds without a difference."""
    return {
        "two noisy versions of one model": World(),
        "two versions that err mostly together": World(0.15, 0.15, shared=0.9),
        "1 % yes": World(centre=-5.2),
        "both rarely sure of the opposite": World(wild=(0.005, 0.005)),
        "slightly better, but rarely sure of the opposite": treacherous(0.4),
        "much better, but rarely sure of the opposite": treacherous(0.8),
        "far better, but sometimes sure of the opposite": treacherous(1.2),
        "requests of 5 rows that resemble each other": World(size=5),
    }


DIFFERENT = {
    "champion has a little more noise": World(0.4, 0.1),
    "champion has more noise": World(0.8, 0.3),
    "champion has much more noise": World(1.2, 0.3),
    "1 % yes, champion has much more noise": World(1.2, 0.3, centre=-5.2),
    "two versions that err mostly together": World(0.15, 0.15, shared=0.9),
    "challenger has more noise": World(0.3, 0.8),
}


def sure(drawn: Streams, mean: float = 0.0) -> tuple[Bools, Bools]:
    """After every row: is the gain surely above `mean`, and surely below it?"""
    above, below = (log_wealth_path(v, w, s * mean) >= np.log(2 / ALPHA) for v, w, s in drawn.sided())
    return above, below


def wrong_about_these(drawn: Streams) -> Bools:
    """Per stream: does a bound ever exclude what was truly to be expected on the very rows that were seen?"""
    ever = [(log_wealth_path(v, w, s * drawn.expected) >= np.log(2 / ALPHA)).any(1) for v, w, s in drawn.sided()]
    return ever[0] | ever[1]


def t_test(gain: Array, first: int = 10) -> Bools:
    """After every row from `first` on: does Student's t-test find a difference at ALPHA?"""
    n = np.arange(1, gain.shape[1] + 1)
    mean = np.cumsum(gain, 1) / n
    error = np.sqrt(np.maximum(np.cumsum(gain**2, 1) / n - mean**2, 1e-12) / np.maximum(n - 1, 1))
    return np.asarray((np.abs(mean) > student.ppf(1 - ALPHA / 2, np.maximum(n - 1, 1)) * error) & (n >= first))


def fixed_range(gain: Array) -> Bools:
    """The betting bound that knows only that no row can gain or lose more than `CERTAIN` nats."""
    hits = []
    for values in (gain, -gain):
        shares = np.geomspace(0.9, 0.002, 12)
        grown = sum(np.exp(np.cumsum(np.log1p(share * values / CERTAIN), 1)) for share in shares)
        hits.append(grown / len(shares) >= 2 / ALPHA)
    return np.asarray(hits[0] | hits[1])


def asymptotic(gain: Array, first: int = 50, best_at: int = 1000) -> Bools:
    """The asymptotic confidence sequence of Waudby-Smith et al. (2024), from row `first` on, tuned to `best_at`."""
    n = np.arange(1, gain.shape[1] + 1)
    mean = np.cumsum(gain, 1) / n
    spread = np.sqrt(np.maximum(np.cumsum(gain**2, 1) / n - mean**2, 1e-12))
    rho = (-2 * np.log(ALPHA) + np.log(1 - 2 * np.log(ALPHA))) / best_at
    reach = spread * np.sqrt((n * rho + 1) / (n**2 * rho) * np.log((n * rho + 1) / ALPHA**2))
    return np.asarray((np.abs(mean) > reach) & (n >= first))


def batches(world: World, streams: int, seed: int) -> Iterator[Streams]:
    """The streams in parts that fit the memory."""
    rng = np.random.default_rng(seed)
    for start in range(0, streams, AT_ONCE):
        yield world.draw(rng, min(AT_ONCE, streams - start))


def false_decisions(world: World, streams: int, seed: int = 2) -> tuple[float, float, float]:
    """The share of streams in which a difference is ever declared, a bound is ever wrong, a t-test ever significant."""
    found = []
    for drawn in batches(world, streams, seed):
        above, below = sure(drawn)
        found.append(np.stack([(above | below).any(1), wrong_about_these(drawn), t_test(drawn.gain).any(1)]))
    better, these, naive = np.hstack(found).mean(1)
    return float(better), float(these), float(naive)


def decisions(world: World, streams: int, seed: int = 3) -> tuple[Array, Array]:
    """Per stream, the row at which promote and keep are first recommended; infinite where never."""
    promote, keep = [], []
    for drawn in batches(world, streams, seed):
        promote.append(_first(sure(drawn)[0]))
        keep.append(_first(sure(drawn, MARGIN)[1]))
    return np.concatenate(promote), np.concatenate(keep)


def _first(hit: Bools) -> Array:
    return np.where(hit.any(1), hit.argmax(1) + 1.0, np.inf)


def methods(streams: int) -> Iterator[str]:
    """Markdown: the most frequent false decision over the equal worlds, and rows until a difference is found."""
    rules = {
        "this page's": lambda drawn: sure(drawn)[0] | sure(drawn)[1],
        "asymptotic": lambda d: asymptotic(d.gain),
        "range of 16.1 nats": lambda d: fixed_range(d.gain),
        "t-test": lambda d: t_test(d.gain),
    }
    shown = [name for name, world in DIFFERENT.items() if world.gain() > MARGIN / 2]
    yield "| bounds | worst false rate | " + " | ".join(shown) + " |"
    yield "|---|--:|" + "--:|" * len(shown)
    for title, rule in rules.items():
        wrong = max(np.hstack([rule(d).any(1) for d in batches(w, streams, 4)]).mean() for w in equal().values())
        times = [
            np.median(np.hstack([_first(rule(d)) for d in batches(DIFFERENT[name], streams, 5)])) for name in shown
        ]
        yield f"| {title} | {wrong:.3f} | " + " | ".join(_rows(time) for time in times) + " |"


def _rows(n: float) -> str:
    return f"{n:,.0f}" if np.isfinite(n) else f"over {ROWS:,}"


def table(streams: int) -> Iterator[str]:
    """Markdown: false decisions without a difference, then how soon true differences are decided."""
    yield f"{streams:,} streams of {ROWS:,} labelled rows, a look after every row, α = {ALPHA}. Without a difference:\n"
    yield "| no difference | surely better or worse | wrong about these rows | t-test at every look |"
    yield "|---|--:|--:|--:|"
    for name, world in equal().items():
        rates = false_decisions(world, streams)
        yield f"| {name} | " + " | ".join(f"{rate:.3f}" for rate in rates) + " |"
    yield f"\nWith one, and a margin of {MARGIN}:\n"
    yield "| difference | true gain (nats) | promote | keep | rows until decided (median) |"
    yield "|---|--:|--:|--:|--:|"
    for name, world in DIFFERENT.items():
        promote, keep = decisions(world, max(streams // 4, 1))
        first = np.median(np.minimum(promote, keep))
        rates = f"{(promote < keep).mean():.3f} | {(keep < promote).mean():.3f}"
        yield f"| {name} | {world.gain():+.4f} | {rates} | {_rows(first)} |"
    yield "\nOther bounds: the highest false rate over the worlds of the first table, and the median row of decision:\n"
    yield from methods(max(streams // 4, 1))


def main() -> None:
    """Print the tables; --write puts them into a page, between its marks."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--streams", type=int, default=2000)
    parser.add_argument("--write", type=Path)
    given = parser.parse_args()
    lines = []
    for line in table(given.streams):
        print(line, flush=True)
        lines.append(line)
    if given.write:
        before, rest = given.write.read_text().split(BEGIN)
        given.write.write_text(f"{before}{BEGIN}\n" + "\n".join(lines) + f"\n{END}{rest.split(END)[1]}")


if __name__ == "__main__":
    main()

"""What `hierarchical` costs, whether it covers, and how it stands beside Pyro: `python -m benchmarks.hierarchical`."""

import argparse
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from credence.model import Labels
from credence.models.bayes import nuts, svi
from credence.models.bayes.posterior import NumericArray, Posterior
from credence.statistics.uncertainty import Array, sigmoid

SHARES = (0.4, 0.3, 0.2, 0.1)
WHOLE = nuts.NutsSettings(chains=4, warmup=1000, samples=1000, seed=0)
SHORT = nuts.NutsSettings(chains=2, warmup=400, samples=400, seed=0)
LONG = nuts.NutsSettings(chains=4, warmup=500, samples=2000, seed=0)
LEVEL = 0.95


@dataclass(frozen=True)
class Simulated:
    """Rows of four groups whose coefficients are drawn from the prior; the last column is ones."""

    Z: Array
    codes: NumericArray
    y: Labels
    truth: dict[str, Array]

    @classmethod
    def draw(cls, rows: int, columns: int, seed: int) -> "Simulated":
        rng = np.random.default_rng(seed)
        mu, tau = rng.standard_normal(columns + 1), np.abs(rng.standard_normal(columns + 1))
        B = mu + tau * rng.standard_normal((len(SHARES), columns + 1))
        Z = np.column_stack([rng.standard_normal((rows, columns)), np.ones(rows)])
        codes = np.append(np.arange(len(SHARES)), rng.choice(len(SHARES), rows - len(SHARES), p=SHARES))
        y = (rng.random(rows) < sigmoid((Z * B[codes]).sum(1))).astype(np.int64)
        return cls(Z, codes, y, {"mu": mu, "tau": tau, "B": B})

    def names(self) -> list[str]:
        return [f"x{place}" for place in range(self.Z.shape[1])]

    def sampled(self, how: nuts.NutsSettings) -> Posterior:
        """The posterior by NUTS."""
        return nuts.sample(self.Z, self.codes, self.y, self.names(), how)


def cost(seed: int) -> tuple[Posterior, float]:
    """The whole job, 2,000 rows of 20 columns and 4 x (1000 + 1000), and its processor seconds over all threads."""
    rows, start = Simulated.draw(2000, 20, seed), time.process_time()
    return rows.sampled(replace(WHOLE, seed=seed)), time.process_time() - start


def covered(sets: int, rows: int = 300, columns: int = 3) -> dict[str, float]:
    """By parameter, the share of true values that lie within their central 95 % interval."""
    inside: dict[str, list[Array]] = {"mu": [], "tau": [], "B": []}
    for seed in range(sets):
        simulated = Simulated.draw(rows, columns, 1000 + seed)
        found = simulated.sampled(replace(SHORT, seed=seed))
        for name, hits in inside.items():
            low, high = np.quantile(getattr(found, name), [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
            hits.append(((low <= simulated.truth[name]) & (simulated.truth[name] <= high)).ravel())
    return {name: float(np.concatenate(hits).mean()) for name, hits in inside.items()}


def apart(draws: int) -> dict[str, float]:
    """By parameter, the largest difference between the means of NumPyro's and Pyro's NUTS in posterior deviations."""
    import pyro
    import torch
    from pyro.infer import MCMC, NUTS

    simulated = Simulated.draw(200, 2, 1)
    ours = simulated.sampled(LONG)
    pyro.set_rng_seed(0)
    torch.set_num_threads(1)
    data = svi.SviData.of(simulated.Z, simulated.codes, simulated.y, len(simulated.Z))
    chain = MCMC(NUTS(svi.model, target_accept_prob=0.9), draws, warmup_steps=400, disable_progbar=True)
    chain.run(data)
    mu, tau, z = (chain.get_samples()[name].double().numpy() for name in ("mu", "tau", "z"))
    theirs = {"mu": mu, "tau": tau, "B": mu[:, None] + tau[:, None] * z}
    return {name: _furthest(getattr(ours, name), values) for name, values in theirs.items()}


def _furthest(ours: Array, theirs: Array) -> float:
    return float((np.abs(ours.mean(0) - theirs.mean(0)) / ours.std(0)).max())


def variational(seed: int, reference: Posterior) -> Iterable[str]:
    """Markdown: cost and widths of variational inference by guide and batch, beside NUTS on the same rows."""
    rows = Simulated.draw(2000, 20, seed)
    for guide, batch in (("normal", 2000), ("normal", 500), ("low_rank", 2000)):
        start = time.process_time()
        found = svi.sample(rows.Z, rows.codes, rows.y, svi.SviSettings(guide, 3000, batch, 400, 0))
        seconds = time.process_time() - start
        widths = [f"{_width(found, reference, name):.2f} / {_error(found, reference, name):.2f}" for name in rows.truth]
        yield f"| {guide} | {batch} | {seconds:.0f} | {' | '.join(widths)} |"


def _width(found: Posterior, reference: Posterior, name: str) -> float:
    return float(np.median(getattr(found, name).std(0) / getattr(reference, name).std(0)))


def _error(found: Posterior, reference: Posterior, name: str) -> float:
    ours, theirs = getattr(found, name), getattr(reference, name)
    return float((np.abs(ours.mean(0) - theirs.mean(0)) / theirs.std(0)).mean())


def main() -> None:
    """Print all figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--sets", type=int, default=100)
    parser.add_argument("--draws", type=int, default=800)
    given = parser.parse_args()
    found, seconds = cost(given.seed)
    figures = ", ".join(f"{d.name} {d.value:.4g}" for d in found.diagnostics)
    print(f"2,000 rows, 20 columns, 4 x (1000 + 1000): {seconds:.0f} processor seconds; {figures}; {found.notes}")
    print("\nvariational, 3,000 steps: median width / mean error of the mean, both in deviations of NUTS\n")
    print("| guide | rows per step | processor seconds | mu | tau | B |\n|---|--:|--:|---|---|---|")
    for line in variational(given.seed, found):
        print(line, flush=True)
    print(f"\ncovered by 95 % intervals over {given.sets} sets: {covered(given.sets)}", flush=True)
    print(f"largest difference of means to Pyro's NUTS, in posterior deviations: {apart(given.draws)}")


if __name__ == "__main__":
    main()

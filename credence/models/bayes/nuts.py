"""Hierarchical logistic regression in NumPyro, sampled by NUTS. Imported only while fitting: serving needs no jax."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
from numpyro.infer.hmc import hmc
from numpyro.infer.util import potential_energy
from tqdm import tqdm

from credence.model import Diagnostic, Labels
from credence.models.bayes.diagnostics import mcmc_diagnostics
from credence.models.bayes.posterior import NumericArray, Posterior, thin_draws
from credence.statistics.uncertainty import Array

TARGET_ACCEPT, RETRY_TARGET_ACCEPT = 0.95, 0.99
BLOCK = 20  # transitions per compiled call
PROGRESS_DELAY_SECONDS = 3.0
MAX_SHOWN_DRAWS = 200
CHAIN_INIT_SPREAD = 0.5
HALF_NORMAL_MEDIAN = 0.674


@dataclass(frozen=True)
class NutsSettings:
    """Number of chains, adapting transitions (`warmup`) and kept draws (`samples`) per chain, and the seed."""

    chains: int
    warmup: int
    samples: int
    seed: int


@dataclass
class NutsDraws:
    """Draws of mu, tau and B, shape (chains, draws, …); energy and divergence of each, shape (chains, draws)."""

    mu: Array
    tau: Array
    B: Array
    energy: Array
    diverged: Array

    def diagnostics(self) -> list[Diagnostic]:
        """Compute the convergence diagnostics."""
        return mcmc_diagnostics({"mu": self.mu, "tau": self.tau, "B": self.B}, self.energy, int(self.diverged.sum()))

    def posterior(self, names: list[str], notes: list[str]) -> Posterior:
        """Concatenate the chains; keep thinned chains of mu and tau by column name.

        Args:
            names: Names of the columns.
            notes: Sentences for the report.
        """
        named = {
            f"{symbol}: {name}": thin_draws(values[:, :, place], MAX_SHOWN_DRAWS)
            for symbol, values in (("mu", self.mu), ("tau", self.tau))
            for place, name in enumerate(names)
        }
        mu, tau, B = (values.reshape(-1, *values.shape[2:]) for values in (self.mu, self.tau, self.B))
        return Posterior(mu, tau, B, chains=named, diagnostics=self.diagnostics(), notes=notes)


def model(X: Any, group: Any, y: Any = None) -> None:
    """Define the NumPyro model.

    Rows are the last axis: this product takes a third of the time of X @ B.T. The group is selected by a product,
    because the gradient of B[group] is a scatter, which is slower.

    Args:
        X: Columns, shape (columns, rows).
        group: Group of each row, one-hot, shape (groups, rows).
        y: Labels in {0, 1}, shape (rows,); None to sample them.
    """
    columns, groups = len(X), len(group)
    mu = numpyro.sample("mu", dist.Normal(0, 1).expand([columns]).to_event(1))
    tau = numpyro.sample("tau", dist.HalfNormal(1).expand([columns]).to_event(1))
    z = numpyro.sample("z", dist.Normal(0, 1).expand([groups, columns]).to_event(2))
    logits = (((mu + tau * z) @ X) * group).sum(0)
    numpyro.sample("y", dist.Bernoulli(logits=logits), obs=y)


def sample(Z: Array, codes: NumericArray, y: Labels, names: list[str], how: NutsSettings) -> Posterior:
    """Sample the posterior of mu, tau and B by NUTS (Hoffman & Gelman 2014).

    If a transition diverges, everything is sampled once more with target acceptance 0.99 instead of 0.95.

    Args:
        Z: Design matrix, shape (rows, columns).
        codes: Group number of each row, shape (rows,).
        y: Labels in {0, 1}, shape (rows,).
        names: Names of the columns.
        how: Chains, transitions and seed.
    """
    data = arguments(Z, codes, y)
    chains, notes = _run(data, how, TARGET_ACCEPT), []
    if chains.diverged.any():
        notes = [f"{int(chains.diverged.sum())} transitions diverged, so all was sampled again with smaller steps"]
        chains = _run(data, how, RETRY_TARGET_ACCEPT)
    return chains.posterior(names, notes)


def arguments(Z: Array, codes: NumericArray, y: Labels) -> tuple[Any, Any, Any]:
    """Return X, group and y of `model` as float32 jax arrays."""
    one_hot = np.arange(codes.max() + 1)[:, None] == codes
    X, group, answers = (jnp.asarray(np.ascontiguousarray(part), jnp.float32) for part in (Z.T, one_hot, y))
    return X, group, answers


def _run(data: tuple[Any, Any, Any], how: NutsSettings, accept: float) -> NutsDraws:
    """Run chains one after another: vectorized, each transition would take as long as the longest of them."""
    start, advance = _kernel(how.warmup)
    step = partial(advance, accept=accept, data=data)
    keys = jax.random.split(jax.random.PRNGKey(how.seed), how.chains)
    with _progress(how) as progress:
        parts = [_chain(start(key, accept, data), step, how, progress) for key in keys]
    z, energy, diverged = (jax.tree.map(lambda *a: np.stack(a), *part) for part in zip(*parts, strict=True))
    mu, tau = z["mu"], np.exp(z["tau"])
    B = mu[:, :, None] + tau[:, :, None] * z["z"]
    return NutsDraws(mu, tau, B, energy, diverged)


def _chain(state: Any, step: Callable[[Any], Any], how: NutsSettings, progress: "tqdm[Any]") -> Any:
    kept = []
    for length, keep in ((how.warmup, False), (how.samples, True)):
        for done in range(0, length, BLOCK):
            state, seen = step(state)
            kept += [jax.tree.map(np.asarray, seen)] if keep else []
            progress.update(min(BLOCK, length - done))
    return jax.tree.map(lambda *a: np.concatenate(a)[: how.samples], *kept)


@lru_cache(maxsize=4)
def _kernel(warmup: int) -> tuple[Any, Any]:
    """Return compiled functions that start a chain and advance it by a block; compiled once per shape of the data."""
    first, following = hmc(potential_fn_gen=lambda *data: lambda place: potential_energy(model, data, {}, place))

    def start(key: Any, accept: float, data: Any) -> Any:
        drawn = _initial_parameters(key, len(data[0]), len(data[1]))
        return first(drawn, warmup, target_accept_prob=accept, model_args=data, rng_key=jax.random.fold_in(key, 1))

    def advance(state: Any, accept: float, data: Any) -> Any:
        first(state.z, warmup, target_accept_prob=accept, model_args=data)  # sets the options that `following` uses

        def transition(state: Any, _: None) -> Any:
            state = following(state, data, {})
            return state, (state.z, state.energy, state.diverging)

        return jax.lax.scan(transition, state, None, length=BLOCK)

    return jax.jit(start), jax.jit(advance)


def _initial_parameters(key: Any, columns: int, groups: int) -> dict[str, Any]:
    """Draw initial values around the prior's median, different for each chain; tau as its logarithm."""
    keys = jax.random.split(key, 3)
    shapes = {"mu": (columns,), "tau": (columns,), "z": (groups, columns)}
    near = {
        name: CHAIN_INIT_SPREAD * jax.random.normal(k, shape)
        for k, (name, shape) in zip(keys, shapes.items(), strict=True)
    }
    return near | {"tau": near["tau"] + jnp.log(HALF_NORMAL_MEDIAN)}


def _progress(how: NutsSettings) -> "tqdm[Any]":
    """Transitions of all chains; shown after three seconds."""
    return tqdm(
        total=how.chains * (how.warmup + how.samples),
        desc="  NUTS",
        unit="draw",
        delay=PROGRESS_DELAY_SECONDS,
        leave=False,
        file=sys.stderr,
    )

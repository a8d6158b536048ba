"""Convergence diagnostics of MCMC chains, by arviz. Imported only while fitting."""

import importlib
import warnings
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import platformdirs

from credence.model import Diagnostic


def _import_arviz() -> Any:
    """Import arviz with a temporary cache folder.

    arviz announces its next major version once a day and notes the day in the user's cache. Processes that import it
    at the same time move each other's file away, and without a writable cache the import fails.
    """
    usual = platformdirs.user_cache_dir
    with TemporaryDirectory() as place, warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        platformdirs.user_cache_dir = lambda *_: place
        try:
            return importlib.import_module("arviz")
        finally:
            platformdirs.user_cache_dir = usual


arviz = _import_arviz()

# R-hat and ESS: Vehtari et al. 2021. E-BFMI: Betancourt 2016.
MAX_R_HAT, MIN_EFFECTIVE_DRAWS, MIN_ENERGY_BFMI = 1.01, 400, 0.3


def mcmc_diagnostics(draws: dict[str, Any], energy: Any, divergences: int) -> list[Diagnostic]:
    """Compute R-hat, bulk and tail ESS, divergences and E-BFMI; the worst over all parameters.

    R-hat is rank-normalized (Vehtari et al. 2021). A single chain is split into halves.

    Args:
        draws: Parameter -> draws, shape (chains, draws, …).
        energy: Energy of each draw, shape (chains, draws).
        divergences: Number of divergent transitions.
    """
    chains = {name: _split_chains(values) for name, values in draws.items()}
    r_hat, bulk, tail = (_worst(chains, which) for which in ("r_hat", "bulk", "tail"))
    kept = np.min(np.nan_to_num(arviz.bfmi(np.asarray(energy)), nan=0.0))
    return [
        Diagnostic(name="R-hat", value=r_hat, bound=f"< {MAX_R_HAT}", kept=r_hat < MAX_R_HAT),
        Diagnostic(name="bulk ESS", value=bulk, bound=f"> {MIN_EFFECTIVE_DRAWS}", kept=bulk > MIN_EFFECTIVE_DRAWS),
        Diagnostic(name="tail ESS", value=tail, bound=f"> {MIN_EFFECTIVE_DRAWS}", kept=tail > MIN_EFFECTIVE_DRAWS),
        Diagnostic(name="divergences", value=divergences, bound="= 0", kept=divergences == 0),
        Diagnostic(name="E-BFMI", value=float(kept), bound=f"> {MIN_ENERGY_BFMI}", kept=bool(kept > MIN_ENERGY_BFMI)),
    ]


def _split_chains(values: Any) -> Any:
    one = np.asarray(values, np.float64)
    middle = one.shape[1] // 2
    return one if len(one) > 1 else np.concatenate([one[:, :middle], one[:, middle : 2 * middle]])


def _worst(chains: dict[str, Any], which: str) -> float:
    """Return the highest R-hat or the smallest ESS; R-hat is infinite if a parameter never moved."""
    data = arviz.convert_to_dataset(chains)
    found = arviz.rhat(data) if which == "r_hat" else arviz.ess(data, method=which)
    values = np.concatenate([np.ravel(found[name].values) for name in chains])
    return float(np.nan_to_num(values, nan=np.inf).max() if which == "r_hat" else np.nan_to_num(values, nan=0.0).min())

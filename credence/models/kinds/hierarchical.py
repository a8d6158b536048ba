"""Hierarchical logistic regression over groups, sampled by NUTS."""

from pydantic import Field

from credence.core.errors import InputError, import_for
from credence.model import Diagnostic, Labels
from credence.models.bayes import PooledModel
from credence.models.bayes.posterior import NumericArray, Posterior
from credence.statistics.uncertainty import Array

MAX_TOLERATED_R_HAT, LONG_CHAIN_SAMPLES = 1.1, 400  # chains of this length with a higher R-hat are an error


class Hierarchical(PooledModel):
    """Hierarchical model sampled by NumPyro's NUTS (Hoffman & Gelman 2014).

    Groups with few rows are shrunk towards the others; a new group gets the spread of the groups as uncertainty.
    """

    chains: int = Field(4, ge=1, description="number of chains")
    warmup: int = Field(1000, ge=20, description="adapting transitions per chain")
    samples: int = Field(1000, ge=20, description="draws per chain")
    served: int = Field(200, ge=2, description="number of draws kept for prediction")

    def _max_draws(self) -> int:
        return self.served

    def _posterior(self, Z: Array, codes: NumericArray, y: Labels, names: list[str]) -> Posterior:
        nuts = import_for("fitting model kind 'hierarchical'", "credence.models.bayes.nuts")
        how = nuts.NutsSettings(self.chains, self.warmup, self.samples, self.seed)
        posterior: Posterior = nuts.sample(Z, codes, y, names, how)
        self._check_convergence(posterior.diagnostics, posterior.notes)
        return posterior

    def _check_convergence(self, found: list[Diagnostic], notes: list[str]) -> None:
        """Note failed diagnostics; raise InputError if long chains disagree."""
        r_hat = next(d.value for d in found if d.name == "R-hat")
        if r_hat > MAX_TOLERATED_R_HAT and self.samples >= LONG_CHAIN_SAMPLES:
            raise InputError(
                f"the chains disagree after {self.warmup} + {self.samples} transitions each: R-hat is {r_hat:.2f}, "
                "expected below 1.01; raise warmup and samples, give fewer columns, or choose 'hierarchical_svi'."
            )
        if failed := [f"{d.name} is {d.value:.4g}, expected {d.bound}" for d in found if not d.kept]:
            notes.append(f"the chains have not converged: {'; '.join(failed)}; raise warmup and samples")

"""Hierarchical logistic regression over groups for many rows, by variational inference on minibatches."""

from typing import Literal

from pydantic import Field

from credence.core.errors import import_for
from credence.model import Labels, TrainingRecord
from credence.models.bayes import PooledModel
from credence.models.bayes.posterior import NumericArray, Posterior
from credence.statistics.uncertainty import Array

NARROW = (
    "fitted by variational inference: answers are as good as those of NUTS, but the draws of mu and tau spread about "
    "a third as far as they should, so no interval of them is reported"
)


class HierarchicalSVI(PooledModel):
    """The model of `hierarchical`, fitted by Pyro's stochastic variational inference (Hoffman et al. 2013)."""

    guide: Literal["normal", "low_rank"] = Field(
        "normal", description="`normal` is a Gaussian with independent weights; `low_rank` has a low-rank covariance"
    )
    steps: int = Field(3000, ge=1, description="optimizer steps")
    batch_rows: int = Field(2000, ge=1, description="rows per step")
    samples: int = Field(200, ge=2, description="number of draws from the guide")
    extractor: int | None = Field(
        None,
        ge=1,
        description="Number of further columns, each tanh of a learned weighted sum of the given ones. Default: none.",
    )

    def training_record(self) -> TrainingRecord:
        """Return costs, the loss curve, and a note that intervals of mu and tau are too narrow."""
        return super().training_record().model_copy(update={"notes": [NARROW]})

    def _max_draws(self) -> int:
        return self.samples

    def _posterior(self, Z: Array, codes: NumericArray, y: Labels, names: list[str]) -> Posterior:
        svi = import_for("fitting model kind 'hierarchical_svi'", "credence.models.bayes.svi")
        how = svi.SviSettings(self.guide, self.steps, self.batch_rows, self.samples, self.seed, self.extractor)
        posterior: Posterior = svi.sample(Z, codes, y, how)
        return posterior

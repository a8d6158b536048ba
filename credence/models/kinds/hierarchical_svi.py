"""Partial pooling over groups for very many rows: fitted by variational inference on minibatches."""

import importlib
from typing import Literal

from pydantic import Field

from credence.model import Labels, TrainingRecord
from credence.models.bayes import PooledModel
from credence.models.bayes.posterior import NumericArray, Posterior
from credence.statistics.uncertainty import Array

NARROW = (
    "fitted by variational inference: answers are as good as those of NUTS, but the draws of mu and tau spread about "
    "a third as far as they should, so no interval of them is reported"
)


class HierarchicalSVI(PooledModel):
    """The model of `hierarchical` in Pyro: `steps` of stochastic variational inference (Hoffman et al. 2013) over
    `batch_rows` rows each, by a guide that is normal in every weight, or of low rank, which sees how weights move
    together. `samples` draws from the guide answer. `extractor` is how many further columns a small network learns
    inside the model, each tanh of a weighted sum of the given ones.
    """

    guide: Literal["normal", "low_rank"] = "normal"
    steps: int = Field(3000, ge=1)
    batch_rows: int = Field(2000, ge=1)
    samples: int = Field(200, ge=2)
    extractor: int | None = Field(None, ge=1)

    def training_record(self) -> TrainingRecord:
        return super().training_record().model_copy(update={"notes": [NARROW]})

    def _most(self) -> int:
        return self.samples

    def _posterior(self, Z: Array, codes: NumericArray, y: Labels, names: list[str]) -> Posterior:
        svi = importlib.import_module("credence.models.bayes.svi")
        how = svi.SviSettings(self.guide, self.steps, self.batch_rows, self.samples, self.seed, self.extractor)
        posterior: Posterior = svi.sample(Z, codes, y, how)
        return posterior

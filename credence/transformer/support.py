"""How far the training rows bear an answer: pseudo-counts behind it, and how unusual the row is."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from credence.expectation.density import FeatureDensity, neighbourhoods
from credence.expectation.evidence import BetaEvidenceHead, Evidence

RANKS = 1000


@dataclass(frozen=True)
class Features:
    """Features z [n, d], the probability of a yes [n] and the answer [n] of rows."""

    z: Tensor
    p: Tensor
    y: Tensor


class Support(nn.Module):
    """The density of the features of training rows, and what held-out rows say of it; nothing is known before `fit`."""

    held: Tensor

    def __init__(self, features: int) -> None:
        super().__init__()
        self.density, self.evidence = FeatureDensity(features), BetaEvidenceHead()
        self.register_buffer("held", torch.full((RANKS,), torch.inf, dtype=torch.float64))

    @property
    def known(self) -> bool:
        """Whether there were rows to fit it on."""
        return bool(self.evidence.rows > 0)

    @torch.no_grad()
    def fit(self, learned: Features, held: Features) -> None:
        """The density of the rows that were learned from; how much it is worth, from those that were held out."""
        self.density.fit(learned.z, learned.y)
        self.evidence.anchor(self.density(learned.z))
        log_density = self.density(held.z)
        self.evidence.fit(log_density, held.p, held.y, neighbourhoods(held.z))
        kept = torch.linspace(0, len(held.y) - 1, min(len(held.y), RANKS)).round().long()
        self.held[: len(kept)] = log_density.sort().values[kept]

    def forward(self, z: Tensor, p: Tensor) -> tuple[Evidence, Tensor]:
        """Evidence behind the probabilities p [B] of rows with features z [B, d], and the share [B] of held-out rows,
        itself among them, that lie no denser."""
        log_density = self.density(z)
        below = (self.held <= log_density[:, None]).sum(1)
        return self.evidence(log_density, p), (1 + below).double() / (1 + self.held.isfinite().sum())

"""What several orders of the same evidence say together, and by how much they differ."""

from dataclasses import dataclass

import torch
from torch import Tensor

EPSILON = 1e-300


@dataclass(frozen=True)
class PermutationStatistics:
    """Per row, float64 [B]: the mean of K orders' probabilities, and their spread, absent (NaN) where K is 1.

    `jsd` is mean_k KL(p_k || mean) in nats; `bound` = sqrt(jsd / 2) is at least the mean absolute deviation from the
    mean (Pinsker); `low` is the 5% quantile over the orders.
    """

    mean: Tensor
    std: Tensor
    jsd: Tensor
    bound: Tensor
    low: Tensor

    @classmethod
    def of(cls, probabilities: Tensor) -> "PermutationStatistics":
        """From the chance of a yes under each order, [K, B]."""
        p = probabilities.double()
        mean, absent = p.mean(0), torch.full(p.shape[1:], torch.nan, dtype=torch.float64)
        if len(p) == 1:
            return cls(mean, absent, absent, absent, absent)
        jsd = (_divergence(p, mean) + _divergence(1 - p, 1 - mean)).mean(0).clamp(min=0)
        return cls(mean, p.std(0), jsd, (jsd / 2).sqrt(), p.quantile(0.05, dim=0))


def jensen_gap(probabilities: Tensor, y: Tensor) -> Tensor:
    """What averaging probabilities [K, B] gains at labels y [B]: mean NLL of the orders - NLL of their mean, nats [B].

    Never negative, by Jensen's inequality; averaging hidden states promises nothing of the kind.
    """
    told = torch.where(y.bool(), probabilities.double(), 1 - probabilities.double()).clamp(min=EPSILON)
    return told.mean(0).log() - told.log().mean(0)


def martingale_gap(p: Tensor, after_yes: Tensor, after_no: Tensor) -> Tensor:
    """E[p(y | x, x')] - p(y | x), x' drawn from p itself: 0 for a Bayesian on exchangeable yes/no evidence; all [B]."""
    return p * after_yes + (1 - p) * after_no - p


def _divergence(p: Tensor, mean: Tensor) -> Tensor:
    return torch.xlogy(p, p) - torch.xlogy(p, mean)

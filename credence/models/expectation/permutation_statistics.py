"""Mean and spread of probabilities over permutations of the same evidence."""

from dataclasses import dataclass

import torch
from torch import Tensor

EPSILON = 1e-300


@dataclass(frozen=True)
class PermutationStatistics:
    """Statistics of each row over K permutations, float64 [B]; all but `mean` are NaN for K = 1.

    Attributes:
        mean: Mean probability.
        std: Standard deviation.
        jsd: Jensen-Shannon divergence, mean_k KL(p_k || mean), in nats.
        bound: sqrt(jsd / 2), an upper bound of the mean absolute deviation from the mean (Pinsker's inequality).
        low: 5 % quantile.
    """

    mean: Tensor
    std: Tensor
    jsd: Tensor
    bound: Tensor
    low: Tensor

    @classmethod
    def of(cls, probabilities: Tensor) -> "PermutationStatistics":
        """Compute from probabilities of yes under each permutation, shape [K, B]."""
        p = probabilities.double()
        mean, absent = p.mean(0), torch.full(p.shape[1:], torch.nan, dtype=torch.float64)
        if len(p) == 1:
            return cls(mean, absent, absent, absent, absent)
        jsd = (_divergence(p, mean) + _divergence(1 - p, 1 - mean)).mean(0).clamp(min=0)
        return cls(mean, p.std(0), jsd, (jsd / 2).sqrt(), p.quantile(0.05, dim=0))


def jensen_gap(probabilities: Tensor, y: Tensor) -> Tensor:
    """Return the NLL saved by averaging probabilities: mean NLL of the permutations - NLL of their mean, in nats [B].

    It is never negative, by Jensen's inequality. Averaging hidden states has no such guarantee.

    Args:
        probabilities: Probabilities of yes, shape [K, B].
        y: Labels in {0, 1}, shape [B].
    """
    likelihood = torch.where(y.bool(), probabilities.double(), 1 - probabilities.double()).clamp(min=EPSILON)
    return likelihood.mean(0).log() - likelihood.log().mean(0)


def martingale_gap(p: Tensor, after_yes: Tensor, after_no: Tensor) -> Tensor:
    """Return E[p(y | x, x')] - p(y | x) with x' drawn from p, shape [B]; 0 for a Bayesian on exchangeable evidence.

    Args:
        p: Probability of yes given x, shape [B].
        after_yes: Probability of yes given x and a further yes, shape [B].
        after_no: Probability of yes given x and a further no, shape [B].
    """
    return p * after_yes + (1 - p) * after_no - p


def _divergence(p: Tensor, mean: Tensor) -> Tensor:
    return torch.xlogy(p, p) - torch.xlogy(p, mean)

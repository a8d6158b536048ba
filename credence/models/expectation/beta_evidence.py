"""How much evidence stands behind a probability: Beta pseudo-counts, from labels or from the density of features."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from scipy.optimize import minimize
from scipy.special import betaincinv
from torch import Tensor, nn

from credence.core.errors import InputError
from credence.statistics.uncertainty import Array

JEFFREYS = (0.5, 0.5)
MIN_KAPPA = 0.05


@dataclass(frozen=True)
class BetaEvidence:
    """Beta(alpha, beta) over each row's chance of a yes: float64 [B] each, entropies in nats.

    float64 because the promises (1e-9 to the exact posterior) are finer than float32 can hold.
    """

    alpha: Tensor
    beta: Tensor

    @property
    def concentration(self) -> Tensor:
        """alpha + beta: pseudo-rows behind the answer, the prior's included."""
        return self.alpha + self.beta

    @property
    def mean(self) -> Tensor:
        """The posterior mean of the chance of a yes."""
        return self.alpha / self.concentration

    @property
    def epistemic_var(self) -> Tensor:
        """Variance of the chance itself; vanishes as evidence grows."""
        return self.aleatoric_var / self.concentration

    @property
    def aleatoric_var(self) -> Tensor:
        """Expected variance of the answer given the chance; with `epistemic_var` it makes mean * (1 - mean)."""
        return self.alpha * self.beta / (self.concentration * (self.concentration + 1))

    @property
    def total(self) -> Tensor:
        """Entropy of the answer."""
        yes, no = self.mean, self.beta / self.concentration
        return -torch.xlogy(yes, yes) - torch.xlogy(no, no)

    @property
    def aleatoric(self) -> Tensor:
        """Expected entropy given the chance: psi(S+1) - m psi(alpha+1) - (1-m) psi(beta+1), S = alpha + beta."""
        yes, no, all_ = (torch.digamma(part + 1) for part in (self.alpha, self.beta, self.concentration))
        return all_ - (self.alpha * yes + self.beta * no) / self.concentration

    @property
    def epistemic(self) -> Tensor:
        """Mutual information between the answer and the chance: total - aleatoric."""
        return (self.total - self.aleatoric).clamp(min=0)

    def interval(self, level: float = 0.95) -> tuple[Tensor, Tensor]:
        """The equal-tailed interval of the chance, low and high."""
        alpha, beta = (part.detach().cpu().numpy() for part in (self.alpha, self.beta))
        low, high = (betaincinv(alpha, beta, tail) for tail in ((1 - level) / 2, (1 + level) / 2))
        return torch.as_tensor(low), torch.as_tensor(high)


class BetaEvidenceHead(nn.Module):
    """A conjugate Beta posterior per row, from counted labels or from pseudo-counts where the features lie dense.

    Pseudo-counts follow DIP-EDL (arXiv 2602.01477): alpha = a0 + N(x) p(y=1|x) with N(x) a function of the density, not
    a network output, since no loss on single labels identifies alpha + beta. Before `anchor`, N is 0: only the prior.
    """

    prior: Tensor
    scale: Tensor
    centre: Tensor
    rows: Tensor

    def __init__(self, prior: tuple[float, float] = JEFFREYS) -> None:
        super().__init__()
        if min(prior) <= 0:
            raise InputError(f"prior {prior}: expected two numbers above 0, such as (0.5, 0.5).")
        for name, value in {"prior": prior, "scale": (0.0, 1.0), "centre": 0.0, "rows": 0.0}.items():
            self.register_buffer(name, torch.tensor(value, dtype=torch.float64))

    def counts(self, y: Tensor, mask: Tensor, weight: Tensor | None = None) -> BetaEvidence:
        """The exact posterior after labels y [B, n] in {0, 1} with mask [B, n] (True = real) and weights [B, n] >= 0.

        Sums of integers are exact, so the order of the evidence cannot matter. Raises BadInput for other values.
        """
        weight = torch.ones_like(mask, dtype=torch.float64) if weight is None else weight.double()
        y, weight = (torch.where(mask, value.double(), 0.0) for value in (y, weight))
        if not ((y == 0) | (y == 1)).all() or not (weight >= 0).all():
            raise InputError("y holds something else than 0 and 1, or a weight is negative; mask what is not a label.")
        return self._updated((weight * y).sum(1), (weight * (1 - y)).sum(1))

    def forward(self, log_density: Tensor, probability: Tensor) -> BetaEvidence:
        """Pseudo-counts N p and N (1 - p) from the log density [B] of a row's features and its probability [B]."""
        support, probability = self.support(log_density), probability.double()
        return self._updated(support * probability, support * (1 - probability))

    def support(self, log_density: Tensor) -> Tensor:
        """N(x) = exp(s + kappa (log p(x) - c)), at most the rows of training: float64 [B]."""
        return self._support(log_density, self.scale)

    @torch.no_grad()
    def anchor(self, log_density: Tensor) -> None:
        """Take c, the median log density [n], and the limit n from the rows of training."""
        self.centre.copy_(log_density.double().median())
        self.rows.fill_(len(log_density))

    @torch.no_grad()
    def fit(self, log_density: Tensor, probability: Tensor, y: Tensor, cells: Tensor | None = None) -> None:
        """Choose (s, kappa) by the Beta-Binomial likelihood of held-out labels y [n], kappa in [0.05, 1].

        Rows of one cell (int64 [n], from 0) share one unknown chance, which is what identifies N; without cells each
        row stands alone, N shows only by shrinking p towards the prior, and a calibrated p drives it to its limit.
        """
        cells = torch.arange(len(y)) if cells is None else cells
        yes, rows, p, density = _sums(y, cells), _sums(torch.ones_like(y), cells), probability.double(), log_density

        def cost(scale: Array) -> float:
            support = self._support(density, torch.as_tensor(scale))
            share = [_sums(support * part, cells) / rows.clamp(min=1) for part in (p, 1 - p)]
            return float(_surprise(self._updated(*share), yes, rows - yes).sum())

        self.scale.copy_(torch.as_tensor(_lowest(cost, math.log(max(float(self.rows), 1.0)))))

    def _support(self, log_density: Tensor, scale: Tensor) -> Tensor:
        scale, centre = scale.double(), self.centre.double()
        return torch.minimum((scale[0] + scale[1] * (log_density.double() - centre)).exp(), self.rows.double())

    def _updated(self, yes: Tensor, no: Tensor) -> BetaEvidence:
        prior = self.prior.double()
        return BetaEvidence(prior[0] + yes, prior[1] + no)


def _sums(value: Tensor, cells: Tensor) -> Tensor:
    """The sum of value [n] in each cell."""
    return torch.zeros(int(cells.max()) + 1, dtype=torch.float64).index_add(0, cells, value.double())


def _surprise(before: BetaEvidence, yes: Tensor, no: Tensor) -> Tensor:
    """-log of the Beta-Binomial chance of these very labels, in nats."""
    after = BetaEvidence(before.alpha + yes, before.beta + no)
    return _log_beta(before) - _log_beta(after)


def _log_beta(evidence: BetaEvidence) -> Tensor:
    return evidence.alpha.lgamma() + evidence.beta.lgamma() - evidence.concentration.lgamma()


def _lowest(cost: Callable[[Array], float], most: float) -> Array:
    """(s, kappa) of the lowest cost: the best of a coarse grid, then Nelder-Mead within the bounds."""
    starts = [np.array([s, kappa]) for s in np.linspace(-2, most, 8) for kappa in (MIN_KAPPA, 0.2, 0.5, 1.0)]
    found = minimize(cost, min(starts, key=cost), method="Nelder-Mead", bounds=[(-10, most), (MIN_KAPPA, 1)])
    return np.asarray(found.x)

"""Evidence behind a probability as Beta pseudo-counts, from labels or from feature density."""

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
MIN_KAPPA = 0.05  # below it, N would hardly depend on the density


@dataclass(frozen=True)
class BetaEvidence:
    """Beta(alpha, beta) over each row's probability of yes.

    All values are float64 [B], because float32 cannot hold the accuracy of 1e-9 to the exact posterior. Entropies are
    in nats.
    """

    alpha: Tensor
    beta: Tensor

    @property
    def concentration(self) -> Tensor:
        """The sum alpha + beta: pseudo-rows behind the probability, including the prior's."""
        return self.alpha + self.beta

    @property
    def mean(self) -> Tensor:
        """Posterior mean of the probability of yes."""
        return self.alpha / self.concentration

    @property
    def epistemic_var(self) -> Tensor:
        """Variance of the probability; goes to 0 as evidence grows."""
        return self.aleatoric_var / self.concentration

    @property
    def aleatoric_var(self) -> Tensor:
        """Expected variance of the label given the probability; plus `epistemic_var` it is mean * (1 - mean)."""
        return self.alpha * self.beta / (self.concentration * (self.concentration + 1))

    @property
    def total(self) -> Tensor:
        """Entropy of the label, in nats."""
        yes, no = self.mean, self.beta / self.concentration
        return -torch.xlogy(yes, yes) - torch.xlogy(no, no)

    @property
    def aleatoric(self) -> Tensor:
        """Expected entropy of the label given the probability, in nats.

        It is psi(S + 1) - m psi(alpha + 1) - (1 - m) psi(beta + 1), with S = alpha + beta and m the mean.
        """
        yes, no, all_ = (torch.digamma(part + 1) for part in (self.alpha, self.beta, self.concentration))
        return all_ - (self.alpha * yes + self.beta * no) / self.concentration

    @property
    def epistemic(self) -> Tensor:
        """Mutual information of label and probability in nats: total - aleatoric."""
        return (self.total - self.aleatoric).clamp(min=0)

    def interval(self, level: float = 0.95) -> tuple[Tensor, Tensor]:
        """Return the bounds of the equal-tailed interval of the probability, float64 [B] each."""
        alpha, beta = (part.detach().cpu().numpy() for part in (self.alpha, self.beta))
        low, high = (betaincinv(alpha, beta, tail) for tail in ((1 - level) / 2, (1 + level) / 2))
        return torch.as_tensor(low), torch.as_tensor(high)


class BetaEvidenceHead(nn.Module):
    """Conjugate Beta posterior per row, from counted labels or from pseudo-counts that grow with feature density.

    Pseudo-counts follow DIP-EDL (arXiv 2602.01477): alpha = a0 + N(x) p(y=1|x). N(x) is a function of the density, not
    a network output, since no loss on single labels identifies alpha + beta. Before `anchor`, N is 0.

    Args:
        prior: The prior's (alpha, beta). Default: Jeffreys, (0.5, 0.5).

    Raises:
        InputError: A prior count is not positive.
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
        """Compute the exact posterior after observed labels. Integer sums are exact, so their order does not matter.

        Args:
            y: Labels in {0, 1}, shape [B, n].
            mask: True for real labels, shape [B, n].
            weight: Weights of at least 0, shape [B, n]. Default: 1.

        Raises:
            InputError: A real label is not 0 or 1, or its weight is negative.
        """
        weight = torch.ones_like(mask, dtype=torch.float64) if weight is None else weight.double()
        y, weight = (torch.where(mask, value.double(), 0.0) for value in (y, weight))
        if not ((y == 0) | (y == 1)).all() or not (weight >= 0).all():
            raise InputError("y holds something else than 0 and 1, or a weight is negative; mask what is not a label.")
        return self._updated((weight * y).sum(1), (weight * (1 - y)).sum(1))

    def forward(self, log_density: Tensor, probability: Tensor) -> BetaEvidence:
        """Compute the posterior with pseudo-counts N p and N (1 - p).

        Args:
            log_density: Log density of the features in nats, shape [B].
            probability: Probability of yes, shape [B].
        """
        support, probability = self.support(log_density), probability.double()
        return self._updated(support * probability, support * (1 - probability))

    def support(self, log_density: Tensor) -> Tensor:
        """Return N(x) = exp(s + kappa (log p(x) - c)), at most the number of training rows, float64 [B]."""
        return self._support(log_density, self.scale)

    @torch.no_grad()
    def anchor(self, log_density: Tensor) -> None:
        """Set c to the median log density of the n training rows, and the limit of N to n.

        Args:
            log_density: Log density of the training rows in nats, shape [n].
        """
        self.centre.copy_(log_density.double().median())
        self.rows.fill_(len(log_density))

    @torch.no_grad()
    def fit(self, log_density: Tensor, probability: Tensor, y: Tensor, cells: Tensor | None = None) -> None:
        """Fit (s, kappa) by the Beta-Binomial likelihood of held-out labels, with kappa in [0.05, 1].

        Rows of one cell share one unknown probability, which identifies N. Without cells, N acts only by shrinking p
        towards the prior, and a calibrated p drives N to its limit.

        Args:
            log_density: Log density of held-out rows in nats, shape [n].
            probability: Probability of yes, shape [n].
            y: Labels in {0, 1}, shape [n].
            cells: Cell of each row, int64 from 0, shape [n]. Default: a cell per row.
        """
        cells = torch.arange(len(y)) if cells is None else cells
        yes, rows, p, density = _sums(y, cells), _sums(torch.ones_like(y), cells), probability.double(), log_density

        def cost(scale: Array) -> float:
            support = self._support(density, torch.as_tensor(scale))
            share = [_sums(support * part, cells) / rows.clamp(min=1) for part in (p, 1 - p)]
            return float(_beta_binomial_nll(self._updated(*share), yes, rows - yes).sum())

        self.scale.copy_(torch.as_tensor(_lowest(cost, math.log(max(float(self.rows), 1.0)))))

    def _support(self, log_density: Tensor, scale: Tensor) -> Tensor:
        scale, centre = scale.double(), self.centre.double()
        return torch.minimum((scale[0] + scale[1] * (log_density.double() - centre)).exp(), self.rows.double())

    def _updated(self, yes: Tensor, no: Tensor) -> BetaEvidence:
        prior = self.prior.double()
        return BetaEvidence(prior[0] + yes, prior[1] + no)


def _sums(value: Tensor, cells: Tensor) -> Tensor:
    """Sum value [n] in each cell."""
    return torch.zeros(int(cells.max()) + 1, dtype=torch.float64).index_add(0, cells, value.double())


def _beta_binomial_nll(before: BetaEvidence, yes: Tensor, no: Tensor) -> Tensor:
    """Return the negative log-likelihood of these counts in nats, without the binomial coefficient."""
    after = BetaEvidence(before.alpha + yes, before.beta + no)
    return _log_beta(before) - _log_beta(after)


def _log_beta(evidence: BetaEvidence) -> Tensor:
    return evidence.alpha.lgamma() + evidence.beta.lgamma() - evidence.concentration.lgamma()


def _lowest(cost: Callable[[Array], float], most: float) -> Array:
    """Minimize the cost over (s, kappa): the best of a coarse grid, then Nelder-Mead within the bounds."""
    starts = [np.array([s, kappa]) for s in np.linspace(-2, most, 8) for kappa in (MIN_KAPPA, 0.2, 0.5, 1.0)]
    found = minimize(cost, min(starts, key=cost), method="Nelder-Mead", bounds=[(-10, most), (MIN_KAPPA, 1)])
    return np.asarray(found.x)

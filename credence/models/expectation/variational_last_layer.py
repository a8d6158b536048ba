"""A Bayesian last layer: a Gaussian over the weights of one logit, in one pass, with its divergence in closed form."""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

QUADRATURE_NODES, QUADRATURE_WEIGHTS = (torch.as_tensor(part) for part in np.polynomial.hermite_e.hermegauss(21))
QUADRATURE_WEIGHTS /= QUADRATURE_WEIGHTS.sum()


def logit_normal_mean(mean: Tensor, variance: Tensor) -> Tensor:
    """E[sigmoid(z)], z ~ N(mean, variance), both [B]: float64 [B]; 21 nodes, as the probit formula is off by 0.006."""
    return _expected(torch.sigmoid(_at_nodes(mean, variance)))


def expected_nll(mean: Tensor, variance: Tensor, y: Tensor) -> Tensor:
    """E[-log p(y | z)] in nats, z ~ N(mean, variance) the logit of a yes, y in {0, 1}, all [B]: float64 [B]."""
    sign = 1 - 2 * y.double()
    return _expected(F.softplus(sign * _at_nodes(mean, variance)))


def _at_nodes(mean: Tensor, variance: Tensor) -> Tensor:
    return mean.double() + variance.double().clamp(min=0).sqrt() * QUADRATURE_NODES.to(mean.device)[:, None]


def _expected(values: Tensor) -> Tensor:
    return QUADRATURE_WEIGHTS.to(values.device) @ values


INITIAL_SD = 0.1


class VariationalLastLayer(nn.Module):
    """q(w) = N(mu, S) against the prior N(0, I / tau), and a point bias, as in VBLL (arXiv 2404.11599).

    S is diagonal (width more parameters than a linear layer) or, if `dense`, a full Cholesky factor.
    """

    precision: Tensor

    def __init__(self, width: int, dense: bool = False, precision: float = 1.0) -> None:
        super().__init__()
        self.mean = nn.Parameter(torch.randn(width) * width**-0.5)
        self.log_sd = nn.Parameter(torch.full((width,), INITIAL_SD).log())
        self.lower = nn.Parameter(torch.zeros(width, width)) if dense else None
        self.bias = nn.Parameter(torch.zeros(()))
        self.register_buffer("precision", torch.tensor(precision, dtype=torch.float64))

    def forward(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Mean mu.z + b and variance z.S.z of the logit, [B] each, for features z [B, d]."""
        scaled = z * self._sd().to(z.dtype)
        if self.lower is not None:
            scaled = scaled + z @ self.lower.tril(-1).to(z.dtype)
        return torch.addmv(self.bias, z, self.mean), scaled.square().sum(1)

    def kl(self) -> Tensor:
        """KL(q || prior) in nats, float64: (tau (tr S + mu.mu) - d - log det S - d log tau) / 2."""
        tau, d = self.precision.double(), self.mean.numel()
        return (tau * self._second_moment() - d - d * tau.log()) / 2 - self.log_sd.double().sum()

    @torch.no_grad()
    def fit_prior(self) -> None:
        """Set tau where the marginal likelihood's bound is highest: d / (tr S + mu.mu)."""
        self.precision.copy_(self.mean.numel() / self._second_moment())

    def draw(self, z: Tensor, draws: int, generator: torch.Generator) -> Tensor:
        """Logits [draws, B] under `draws` weight vectors from q, each the same for all rows z [B, d]."""
        noise = torch.randn(draws, self.mean.numel(), generator=generator, dtype=z.dtype)
        weights = self.mean + noise * self._sd().to(z.dtype)
        if self.lower is not None:
            weights = weights + noise @ self.lower.tril(-1).to(z.dtype).T
        return weights @ z.T + self.bias

    def _second_moment(self) -> Tensor:
        """E[w.w] = tr S + mu.mu."""
        parts = [self.mean, self._sd(), *([] if self.lower is None else [self.lower.tril(-1)])]
        return torch.stack([part.double().square().sum() for part in parts]).sum()

    def _sd(self) -> Tensor:
        """The diagonal of the lower triangular R with S = R R'; what is below it is in `lower`."""
        return self.log_sd.exp()


def mdl_loss(mean: Tensor, variance: Tensor, y: Tensor, kl: Tensor, n_train: int) -> tuple[Tensor, Tensor]:
    """NLL of each row [B], and KL / n_train, which every row bears, both in nats.

    Mean NLL + KL / n_train is the bits-back code of labels and model, per row (Hinton & van Camp 1993; Blier & Ollivier
    2018, the variational code). mean and variance [B] are of Gaussian logits, y in {0, 1} is [B], kl a scalar in nats.
    """
    return expected_nll(mean, variance, y), kl / n_train

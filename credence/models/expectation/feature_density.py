"""Density of training rows around a feature vector: one Gaussian per class on a few principal axes."""

import math
from dataclasses import dataclass

import torch
from sklearn.covariance import ledoit_wolf
from torch import Tensor, nn

from credence.models.expectation.beta_evidence import BetaEvidence, BetaEvidenceHead

MIN_VARIANCE = 1e-8


class FeatureDensity(nn.Module):
    """Log density of features: two class Gaussians with a shared Ledoit-Wolf covariance on the first r principal axes.

    The remaining axes are an isotropic Gaussian (Moghaddam & Pentland 1997). Without it, rows far away in a direction
    that training rows never took would look near. Its dimension is estimated from the spread of squared distances
    (Satterthwaite 1946). Counted one by one, correlated directions would outweigh the principal axes.

    Call `fit` before use; it costs O(n r² + d³).

    Args:
        width: Number of features, d.
        rank: Largest number of principal axes, r.
    """

    centre: Tensor
    axes: Tensor
    whitening: Tensor
    means: Tensor
    log_share: Tensor
    spread: Tensor
    constant: Tensor

    def __init__(self, width: int, rank: int = 32) -> None:
        super().__init__()
        r = min(rank, width)
        shapes = {"centre": (width,), "axes": (width, r), "whitening": (r, r), "means": (2, r), "log_share": (2,)}
        for name, shape in shapes.items():
            self.register_buffer(name, torch.zeros(shape, dtype=torch.float64))
        self.register_buffer("spread", torch.ones((), dtype=torch.float64))
        self.register_buffer("constant", torch.full((), math.log(0.5), dtype=torch.float64))

    def forward(self, z: Tensor) -> Tensor:
        """Return the log density of features z [B, d] in nats, float64 [B]."""
        inside, outside = self._parts(z)
        distance = (inside[:, None] - self.means).square().sum(2)
        return torch.logsumexp(self.log_share - distance / 2, 1) - outside / (2 * self.spread) + self.constant

    @torch.no_grad()
    def fit(self, z: Tensor, y: Tensor) -> None:
        """Fit to the features z [n, d] and labels y [n] in {0, 1} of the training rows."""
        z, r = z.double(), self.axes.shape[1]
        self.centre.copy_(z.mean(0))
        self.axes.copy_(torch.linalg.eigh((z - self.centre).T @ (z - self.centre)).eigenvectors[:, -r:])
        members = torch.stack([y == 0, y == 1]).double()
        projected = (z - self.centre) @ self.axes
        means = members @ projected / members.sum(1, keepdim=True).clamp(min=1)
        self._whiten(projected - means[y.long()])
        self.means.copy_(means @ self.whitening)
        self.log_share.copy_(members.mean(1).log())
        self._spread_over(z)

    def _whiten(self, deviations: Tensor) -> None:
        covariance = torch.as_tensor(ledoit_wolf(deviations.cpu().numpy(), assume_centered=True)[0])
        covariance.diagonal().add_(MIN_VARIANCE * (1 + covariance.diagonal().mean()))
        root = torch.linalg.cholesky(covariance)
        self.whitening.copy_(torch.linalg.inv(root).T)
        self.constant.copy_(-root.diagonal().log().sum() - len(root) / 2 * math.log(2 * math.pi))

    def _spread_over(self, z: Tensor) -> None:
        rest = self.centre.numel() - self.axes.shape[1]
        if rest:
            distance = self._parts(z)[1]
            mean, scatter = distance.mean(), distance.var(correction=0)
            free = torch.minimum(
                2 * mean.square() / scatter.clamp(min=torch.finfo(scatter.dtype).tiny), mean.new_tensor(rest)
            )
            variance = mean / free.clamp(min=1)
            self.spread.copy_(variance + MIN_VARIANCE * (1 + variance))
            self.constant.sub_(free / 2 * torch.log(2 * math.pi * self.spread))

    def _parts(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Return whitened coordinates [B, r] on the axes, and the squared distance [B] from their span."""
        z = z.double() - self.centre
        along = z @ self.axes
        return along @ self.whitening, (z - along @ self.axes.T).square().sum(1)


def neighborhood_cells(z: Tensor, size: int = 16) -> Tensor:
    """Partition rows into cells of neighbors by halving at the median of the widest axis.

    Args:
        z: Features, shape [n, d].
        size: Most rows per cell.

    Returns:
        Cell of each row, int64 [n].
    """
    cells = torch.zeros(len(z), dtype=torch.int64)
    for number, rows in enumerate(_halved(z, torch.arange(len(z)), size)):
        cells[rows] = number
    return cells


def _halved(z: Tensor, rows: Tensor, size: int) -> list[Tensor]:
    if len(rows) <= max(size, 1):
        return [rows]
    widest = z[rows].var(0).argmax()
    rows, half = rows[z[rows, widest].argsort(stable=True)], len(rows) // 2
    return [*_halved(z, rows[:half], size), *_halved(z, rows[half:], size)]


MAX_RANK_ROWS = 1000


@dataclass(frozen=True)
class RowFeatures:
    """Features z [n, d], probabilities of yes p [n] and labels y [n] in {0, 1} of rows."""

    z: Tensor
    p: Tensor
    y: Tensor


class TrainingSupport(nn.Module):
    """Feature density of training rows, and Beta evidence calibrated on held-out rows.

    Args:
        features: Number of features, d.
    """

    held: Tensor

    def __init__(self, features: int) -> None:
        super().__init__()
        self.density, self.evidence = FeatureDensity(features), BetaEvidenceHead()
        self.register_buffer("held", torch.full((MAX_RANK_ROWS,), torch.inf, dtype=torch.float64))

    @property
    def known(self) -> bool:
        """Whether it has been fitted."""
        return bool(self.evidence.rows > 0)

    @torch.no_grad()
    def fit(self, learned: RowFeatures, held: RowFeatures) -> None:
        """Fit the density to training rows, and evidence and ranks to held-out rows.

        Args:
            learned: Training rows.
            held: Held-out rows.
        """
        self.density.fit(learned.z, learned.y)
        self.evidence.anchor(self.density(learned.z))
        log_density = self.density(held.z)
        self.evidence.fit(log_density, held.p, held.y, neighborhood_cells(held.z))
        kept = torch.linspace(0, len(held.y) - 1, min(len(held.y), MAX_RANK_ROWS)).round().long()
        self.held[: len(kept)] = log_density.sort().values[kept]

    def forward(self, z: Tensor, p: Tensor) -> tuple[BetaEvidence, Tensor]:
        """Compute evidence and out-of-distribution p-value.

        Args:
            z: Features, shape [B, d].
            p: Probabilities of yes, shape [B].

        Returns:
            The evidence, and the share of held-out rows and the row itself whose density is not higher, float64 [B].
        """
        log_density = self.density(z)
        below = (self.held <= log_density[:, None]).sum(1)
        return self.evidence(log_density, p), (1 + below).double() / (1 + self.held.isfinite().sum())

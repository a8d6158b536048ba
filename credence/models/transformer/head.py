"""The logit of a row and its doubt; and draws of it whose mean is the probability, not only nearly."""

import torch
from torch import Tensor, nn

from credence.models.expectation.variational_last_layer import VariationalLastLayer, logit_normal_mean
from credence.models.neural.dropout import MaskedDropout

EPSILON = 1e-12
NEWTON_STEPS = 4
MAX_STEP = 2.0


class Head(nn.Module):
    """A Gaussian over the logit (`variational`), or a point: then its variance is 0."""

    def __init__(self, features: int, dropout: float, variational: bool) -> None:
        super().__init__()
        self.dropped = MaskedDropout(dropout, features)
        self.layer = VariationalLastLayer(features) if variational else nn.Linear(features, 1)

    @property
    def variational(self) -> VariationalLastLayer | None:
        """The last layer, where it is a Gaussian."""
        return self.layer if isinstance(self.layer, VariationalLastLayer) else None

    def forward(self, z: Tensor) -> Tensor:
        """Mean logits [..., 1] of features [..., features]."""
        z = self.dropped(z)
        if self.variational is None:
            point: Tensor = self.layer(z)
            return point
        return (z @ self.variational.mean + self.variational.bias)[..., None]

    def moments(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and variance of the logit, [B] each, for features z [B, features]."""
        z = self.dropped(z)
        if self.variational is None:
            logits = self.layer(z).squeeze(-1)
            return logits, torch.zeros_like(logits)
        mean, variance = self.variational(z)
        return mean, variance

    def draws(self, z: Tensor, draws: int, generator: torch.Generator) -> Tensor:
        """Probabilities [draws, B], float64: each draw one weight vector for all rows, mirrored pairs of them.

        Each row's deviations are scaled to the variance, and its logits moved by one number, so that the mean of its
        draws is the mean by quadrature: to 1e-4 where the logit's deviation is 4 or less, to 0.01 where it is 10.
        """
        mean, variance = (part.double() for part in self.moments(z))
        target = logit_normal_mean(mean, variance)
        if self.variational is None or draws == 1:
            return target[None]
        deviations = self.variational.draw(z, draws // 2, generator).double() - mean
        scale = (variance / deviations.square().mean(0).clamp(min=EPSILON)).sqrt()
        mirrored = torch.cat([deviations, -deviations]) * scale
        middle = torch.zeros(draws % 2, len(z), dtype=torch.float64, device=z.device)
        return _moved(mean + torch.cat([mirrored, middle]), target)


def _moved(logits: Tensor, target: Tensor) -> Tensor:
    """Probabilities of logits [S, B], all of a row moved by one number towards the mean [B] (Newton's steps)."""
    for _ in range(NEWTON_STEPS):
        p = torch.sigmoid(logits)
        slope = (p - p.square()).mean(0).clamp(min=EPSILON)
        logits = logits + ((target - p.mean(0)) / slope).clamp(-MAX_STEP, MAX_STEP)
    return torch.sigmoid(logits)

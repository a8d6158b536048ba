"""Output head: mean and variance of a row's logit, and draws whose mean equals the predictive probability."""

import torch
from torch import Tensor, nn

from credence.models.expectation.variational_last_layer import VariationalLastLayer, logit_normal_mean
from credence.models.neural.dropout import MaskedDropout

EPSILON = 1e-12
NEWTON_STEPS = 4
MAX_STEP = 2.0


class Head(nn.Module):
    """Output layer with dropout.

    Args:
        features: Number of features.
        dropout: Dropout probability.
        variational: Use a variational last layer; otherwise a linear layer, whose logits have variance 0.
    """

    def __init__(self, features: int, dropout: float, variational: bool) -> None:
        super().__init__()
        self.dropped = MaskedDropout(dropout, features)
        self.layer = VariationalLastLayer(features) if variational else nn.Linear(features, 1)

    @property
    def variational(self) -> VariationalLastLayer | None:
        """The variational last layer, or None."""
        return self.layer if isinstance(self.layer, VariationalLastLayer) else None

    def forward(self, z: Tensor) -> Tensor:
        """Return mean logits [..., 1] of features z [..., features]."""
        z = self.dropped(z)
        if self.variational is None:
            point: Tensor = self.layer(z)
            return point
        return (z @ self.variational.mean + self.variational.bias)[..., None]

    def moments(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and variance of the logit, [B] each, for features z [B, features]."""
        z = self.dropped(z)
        if self.variational is None:
            logits = self.layer(z).squeeze(-1)
            return logits, torch.zeros_like(logits)
        mean, variance = self.variational(z)
        return mean, variance

    def draws(self, z: Tensor, draws: int, generator: torch.Generator) -> Tensor:
        """Draw probabilities of yes; a draw is one weight vector for all rows, and draws come in antithetic pairs.

        Each row's deviations are scaled to the exact variance, and its logits are shifted, so that the mean of the
        draws equals the quadrature mean: within 1e-4 if the logit's sd is at most 4, within 0.01 if it is 10.

        Args:
            z: Features, shape [B, features].
            draws: Number of draws; one draw, or no variational layer, gives the quadrature mean.
            generator: Source of random numbers.

        Returns:
            Probabilities, float64 [draws, B], or [1, B].
        """
        mean, variance = (part.double() for part in self.moments(z))
        target = logit_normal_mean(mean, variance)
        if self.variational is None or draws == 1:
            return target[None]
        deviations = self.variational.draw(z, draws // 2, generator).double() - mean
        scale = (variance / deviations.square().mean(0).clamp(min=EPSILON)).sqrt()
        mirrored = torch.cat([deviations, -deviations]) * scale
        middle = torch.zeros(draws % 2, len(z), dtype=torch.float64, device=z.device)
        return _shifted_to_mean(mean + torch.cat([mirrored, middle]), target)


def _shifted_to_mean(logits: Tensor, target: Tensor) -> Tensor:
    """Return probabilities of logits [S, B], shifted per row so that their mean is the target [B] (Newton's method)."""
    for _ in range(NEWTON_STEPS):
        p = torch.sigmoid(logits)
        slope = (p - p.square()).mean(0).clamp(min=EPSILON)
        logits = logits + ((target - p.mean(0)) / slope).clamp(-MAX_STEP, MAX_STEP)
    return torch.sigmoid(logits)

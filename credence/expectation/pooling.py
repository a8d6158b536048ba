"""What a set of token vectors says in numbers: their mean, their spread, and how many there are."""

import torch
from torch import Tensor, nn

TINY = 1e-12


class MaskedMoments(nn.Module):
    """[masked mean, masked sd, log(1 + n)] of x [B, L, d], mask [B, L] (True = real): float32 [B, 2d + 1].

    What is masked is never read, so it may be anything; a row without real tokens gives zeros (sd 1e-6, where the
    square root is cut off to keep its gradient finite).
    """

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Pool over the real tokens, O(B L d)."""
        real = mask[..., None]
        x, n = torch.where(real, x.float(), 0.0), mask.sum(1, keepdim=True)
        share = n.clamp(min=1)
        mean = x.sum(1) / share
        deviation = (x - mean[:, None]) * real
        variance = deviation.square().sum(1) / share
        return torch.cat([mean, variance.clamp(min=TINY).sqrt(), n.float().log1p()], dim=1)

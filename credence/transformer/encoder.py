"""Tokens to one vector a row: layers, run as often as a row's length is worth, and two ways of pooling."""

import torch
from torch import Tensor, nn

from credence.expectation.budget import ReasoningBudget, repeated
from credence.expectation.pooling import MaskedMoments
from credence.transformer.layer import Layer

PRECISION = 0.01


class Encoder(nn.Module):
    """`layers` layers, run `loops` times with the same weights at most, and z = [attention pool | masked moments].

    To learn, each batch runs a random number of times, so that every number answers; then the budget says how often.
    """

    def __init__(self, width: int, layers: int, heads: int, dropout: float, loops: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(Layer(width, heads, dropout) for _ in range(layers))
        self.budget, self.loops = ReasoningBudget(1, loops), loops
        self.norm, self.relevance, self.moments = nn.LayerNorm(width), nn.Linear(width, 1), MaskedMoments()
        self.features = 3 * width + 1

    def forward(self, x: Tensor, mask: Tensor, segments: Tensor | None = None, k: Tensor | None = None) -> Tensor:
        """z [B, features] of x [B, L, d], finite also where mask bool [B, L] is False, after k int64 [B] runs."""
        if self.loops == 1:
            return self._pooled(self._once(x, mask, segments), mask)
        more = () if segments is None else (segments,)
        return self._pooled(repeated(self._once, x, mask, self.steps(mask) if k is None else k, *more), mask)

    def steps(self, mask: Tensor) -> Tensor:
        """How often each row of mask [B, L] is run, int64 [B]."""
        if self.training:
            return torch.randint(1, self.loops + 1, (), device=mask.device).expand(len(mask))
        steps: Tensor = self.budget(mask.sum(1), PRECISION)[0]
        return steps

    def _once(self, x: Tensor, mask: Tensor, segments: Tensor | None = None) -> Tensor:
        for layer in self.layers:
            x = layer(x, mask, segments)
        return x

    def _pooled(self, x: Tensor, mask: Tensor) -> Tensor:
        x = self.norm(x)
        weight = self.relevance(x).squeeze(-1).masked_fill(~mask, -torch.inf).softmax(1)
        return torch.cat([(weight[:, None] @ x)[:, 0], self.moments(x, mask)], dim=1)

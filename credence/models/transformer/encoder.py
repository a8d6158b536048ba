"""Tokens to one vector a row: layers, run as often as a row's length is worth, and two ways of pooling."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from credence.core.errors import InputError
from credence.models.expectation.compute_budget import ComputeBudget, run_block_repeatedly
from credence.models.neural.dropout import MaskedDropout

EPSILON = 1e-12


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
        return torch.cat([mean, variance.clamp(min=EPSILON).sqrt(), n.float().log1p()], dim=1)


class BlockAttention(nn.Module):
    """Multi-head attention in one call of `scaled_dot_product_attention`, for all K copies of a batch at once.

    It knows no positions: those are added to x, or not (`orders.arranged`). A learned bias per head, zero at first,
    joins tokens of one block where segment ids are given: else blocks without an order would be one bag of words.
    """

    def __init__(self, width: int, heads: int, dropout: float = 0.0) -> None:
        super().__init__()
        if width % heads:
            raise InputError(f"width {width} and {heads} heads: expected a width that the heads divide.")
        self.heads, self.dropout = heads, dropout
        self.project = nn.Linear(width, 3 * width)
        self.combine = nn.Linear(width, width)
        self.together = nn.Parameter(torch.zeros(heads))

    def forward(self, x: Tensor, mask: Tensor, segment_ids: Tensor | None = None) -> Tensor:
        """New vectors for x [B, L, d], mask bool [B, L] (True = real) and segment ids int64 [B, L] (-1 = no block).

        Masked tokens are neither read, whatever they hold, nor answered: they come back as zeros.
        """
        x = torch.where(mask[..., None], x, 0.0)
        q, k, v = self.project(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        dropped = self.dropout if self.training else 0.0
        heads = F.scaled_dot_product_attention(q, k, v, self._allowed(mask, segment_ids, q.dtype), dropped)
        return torch.where(mask[..., None], self.combine(heads.transpose(1, 2).flatten(2)), 0.0)

    def _allowed(self, mask: Tensor, segment_ids: Tensor | None, dtype: torch.dtype) -> Tensor:
        """Which keys may be read (a row without any reads its zeros), with the bias between tokens of one block."""
        readable = (mask | ~mask.any(1, keepdim=True))[:, None, None, :]
        if segment_ids is None:
            return readable
        same = (segment_ids[:, :, None] == segment_ids[:, None, :]) & (segment_ids >= 0)[:, :, None]
        bias = self.together[:, None, None].to(dtype)
        return torch.where(readable, 0.0, -torch.inf).to(dtype).addcmul(same[:, None].to(dtype), bias)


PRECISION = 0.01


class TokenEncoder(nn.Module):
    """`layers` layers, run `loops` times with the same weights at most, and z = [attention pool | masked moments].

    To learn, each batch runs a random number of times, so that every number answers; then the budget says how often.
    """

    def __init__(self, width: int, layers: int, heads: int, dropout: float, loops: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(EncoderLayer(width, heads, dropout) for _ in range(layers))
        self.budget, self.loops = ComputeBudget(1, loops), loops
        self.norm, self.relevance, self.moments = nn.LayerNorm(width), nn.Linear(width, 1), MaskedMoments()
        self.features = 3 * width + 1

    def forward(self, x: Tensor, mask: Tensor, segments: Tensor | None = None, k: Tensor | None = None) -> Tensor:
        """z [B, features] of x [B, L, d], finite also where mask bool [B, L] is False, after k int64 [B] runs."""
        if self.loops == 1:
            return self._pooled(self._once(x, mask, segments), mask)
        more = () if segments is None else (segments,)
        return self._pooled(
            run_block_repeatedly(self._once, x, mask, self.steps(mask) if k is None else k, *more), mask
        )

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


FEED_FORWARD_FACTOR = 4


class EncoderLayer(nn.Module):
    """Pre-LN (Xiong et al. 2020): x + attention(norm x), then x + MLP(norm x), four times as wide inside, GELU."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.before, self.between = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = BlockAttention(width, heads, dropout)
        self.widen, self.narrow = (
            nn.Linear(width, FEED_FORWARD_FACTOR * width),
            nn.Linear(FEED_FORWARD_FACTOR * width, width),
        )
        self.heard, self.thought = MaskedDropout(dropout, width), MaskedDropout(dropout, width)

    def forward(self, x: Tensor, mask: Tensor, segments: Tensor | None = None) -> Tensor:
        """New vectors for x [B, L, d], mask bool [B, L] and segment ids int64 [B, L], of real tokens from real ones."""
        x = x + self.heard(self.attention(self.before(x), mask, segments))
        answer: Tensor = x + self.thought(self.narrow(F.gelu(self.widen(self.between(x)))))
        return answer

"""Encoder from tokens to one vector per row: pre-LN layers, repeated by a compute budget, and pooling."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from credence.core.errors import InputError
from credence.models.expectation.compute_budget import ComputeBudget, run_block_repeatedly
from credence.models.neural.dropout import MaskedDropout

EPSILON = 1e-12


class MaskedMoments(nn.Module):
    """Pools tokens to [masked mean, masked sd, log(1 + n)]."""

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Pool over the real tokens; masked values are not read.

        Args:
            x: Vectors, shape [B, L, d].
            mask: True for real tokens, bool [B, L].

        Returns:
            float32 [B, 2d + 1]. The sd is at least 1e-6, which keeps its gradient finite; a row without real tokens
            has 0 elsewhere.
        """
        real = mask[..., None]
        x, n = torch.where(real, x.float(), 0.0), mask.sum(1, keepdim=True)
        share = n.clamp(min=1)
        mean = x.sum(1) / share
        deviation = (x - mean[:, None]) * real
        variance = deviation.square().sum(1) / share
        return torch.cat([mean, variance.clamp(min=EPSILON).sqrt(), n.float().log1p()], dim=1)


class BlockAttention(nn.Module):
    """Multi-head attention with a learned bias between tokens of one block.

    Positions are not part of it; they are added to x before (`permutations.permuted_positions`). The bias, one per head
    and initially 0, applies if segment ids are given. Without it, unordered blocks would be one bag of words.

    Args:
        width: Dimension of the vectors, d.
        heads: Number of heads; divides `width`.
        dropout: Dropout probability of attention weights in training.

    Raises:
        InputError: `heads` does not divide `width`.
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
        """Attend over the real tokens; masked values are not read.

        Args:
            x: Vectors, shape [B, L, d].
            mask: True for real tokens, bool [B, L].
            segment_ids: Block of each token, -1 for none, int64 [B, L].

        Returns:
            Vectors, shape [B, L, d]; 0 for masked tokens.
        """
        x = torch.where(mask[..., None], x, 0.0)
        q, k, v = self.project(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        dropped = self.dropout if self.training else 0.0
        heads = F.scaled_dot_product_attention(q, k, v, self._allowed(mask, segment_ids, q.dtype), dropped)
        return torch.where(mask[..., None], self.combine(heads.transpose(1, 2).flatten(2)), 0.0)

    def _allowed(self, mask: Tensor, segment_ids: Tensor | None, dtype: torch.dtype) -> Tensor:
        """Return the attention mask with the bias within blocks; a row without real tokens attends to zeros."""
        readable = (mask | ~mask.any(1, keepdim=True))[:, None, None, :]
        if segment_ids is None:
            return readable
        same = (segment_ids[:, :, None] == segment_ids[:, None, :]) & (segment_ids >= 0)[:, :, None]
        bias = self.together[:, None, None].to(dtype)
        return torch.where(readable, 0.0, -torch.inf).to(dtype).addcmul(same[:, None].to(dtype), bias)


PRECISION = 0.01  # nats of NLL within which fewer repetitions are sufficient


class TokenEncoder(nn.Module):
    """Pre-LN layers, repeated with the same weights, and pooling to z = [attention pool | masked moments].

    In training each batch is repeated a random number of times, so that any number works. In evaluation the budget
    decides per row.

    Args:
        width: Dimension of the vectors, d.
        layers: Number of layers.
        heads: Attention heads.
        dropout: Dropout probability.
        loops: Most repetitions of all layers.
    """

    def __init__(self, width: int, layers: int, heads: int, dropout: float, loops: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(EncoderLayer(width, heads, dropout) for _ in range(layers))
        self.budget, self.loops = ComputeBudget(1, loops), loops
        self.norm, self.relevance, self.moments = nn.LayerNorm(width), nn.Linear(width, 1), MaskedMoments()
        self.features = 3 * width + 1

    def forward(self, x: Tensor, mask: Tensor, segments: Tensor | None = None, k: Tensor | None = None) -> Tensor:
        """Encode tokens.

        Args:
            x: Vectors, shape [B, L, d]; finite also at padding.
            mask: True for real tokens, bool [B, L].
            segments: Block of each token, -1 for none, int64 [B, L].
            k: Repetitions per row, int64 [B]. Default: as `steps` says.

        Returns:
            Features z, shape [B, 3d + 1].
        """
        if self.loops == 1:
            return self._pooled(self._once(x, mask, segments), mask)
        more = () if segments is None else (segments,)
        return self._pooled(
            run_block_repeatedly(self._once, x, mask, self.steps(mask) if k is None else k, *more), mask
        )

    def steps(self, mask: Tensor) -> Tensor:
        """Return the repetitions of each row of mask [B, L], int64 [B]: random in training, else by the budget."""
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
    """Pre-LN layer (Xiong et al. 2020): x + attention(norm x), then x + MLP(norm x) with 4d hidden units and GELU.

    Args:
        width: Dimension of the vectors, d.
        heads: Attention heads.
        dropout: Dropout probability after attention and MLP.
    """

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
        """Transform x [B, L, d], given mask bool [B, L] and segment ids int64 [B, L]; padding has no influence."""
        x = x + self.heard(self.attention(self.before(x), mask, segments))
        answer: Tensor = x + self.thought(self.narrow(F.gelu(self.widen(self.between(x)))))
        return answer

"""Self-attention that reads real tokens only and can tell blocks apart without knowing their order."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from credence.errors import BadInput


class BlockAttention(nn.Module):
    """Multi-head attention in one call of `scaled_dot_product_attention`, for all K copies of a batch at once.

    It knows no positions: those are added to x, or not (`orders.arranged`). A learned bias per head, zero at first,
    joins tokens of one block where segment ids are given: else blocks without an order would be one bag of words.
    """

    def __init__(self, width: int, heads: int, dropout: float = 0.0) -> None:
        super().__init__()
        if width % heads:
            raise BadInput(f"width {width} and {heads} heads: expected a width that the heads divide.")
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

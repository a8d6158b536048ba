"""Pretrained encoder as a module: a vector per word piece, and their mean as the vector of a text."""

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from credence.core.errors import InputError
from credence.models.training import Batch

if TYPE_CHECKING:  # importing transformers takes seconds, and kinds without a checkpoint do not need it
    from transformers import PreTrainedModel


class SentenceEncoder(nn.Module):
    """Encoder with masked mean pooling to vectors of length 1 (Reimers & Gurevych 2019).

    Args:
        body: The pretrained encoder.
        padding: Number of the padding piece.
    """

    def __init__(self, body: "PreTrainedModel", padding: int) -> None:
        super().__init__()
        self.body, self.padding = body, padding

    @property
    def width(self) -> int:
        """Dimension of a vector."""
        return int(self.body.config.hidden_size)

    def forward(self, batch: Batch) -> Tensor:
        """Return vectors of length 1, float32 [B, width], for the column `pieces`."""
        mask = batch.mask("pieces")
        pooled = torch.where(mask[..., None], self.states(batch), 0.0).sum(1) / mask.sum(1, keepdim=True)
        return F.normalize(pooled, dim=1)

    def states(self, batch: Batch) -> Tensor:
        """Return a vector per piece, float32 [B, L, width]; values at padding are arbitrary."""
        mask = batch.mask("pieces")
        pieces = torch.where(mask, batch["pieces"], self.padding)
        states: Tensor = self.body(input_ids=pieces, attention_mask=mask.long()).last_hidden_state
        return states.float()

    def freeze(self, layers: int) -> None:
        """Exclude the embeddings and the `layers` lowest layers from training; 0 excludes nothing.

        Raises:
            InputError: The encoder has fewer layers.
        """
        if not layers:
            return
        stack = max((m for m in self.body.modules() if isinstance(m, nn.ModuleList)), key=len)
        if layers > len(stack):
            raise InputError(f"freeze: {layers} is more than the {len(stack)} layers of this checkpoint; lower freeze.")
        still = [part for name, part in self.body.named_children() if "embeddings" in name]
        for part in [*still, *stack[:layers]]:
            part.requires_grad_(False)

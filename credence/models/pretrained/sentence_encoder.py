"""What a pretrained encoder makes of the pieces of a text, and one vector per text: their mean."""

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from credence.core.errors import InputError
from credence.models.training import Batch

if TYPE_CHECKING:  # else a kind that may do without a checkpoint would import it too, for seconds
    from transformers import PreTrainedModel


class SentenceEncoder(nn.Module):
    """Masked mean pooling at unit length (Reimers & Gurevych 2019); padding is never read."""

    def __init__(self, body: "PreTrainedModel", padding: int) -> None:
        super().__init__()
        self.body, self.padding = body, padding

    @property
    def width(self) -> int:
        """Numbers in a vector."""
        return int(self.body.config.hidden_size)

    def forward(self, batch: Batch) -> Tensor:
        """Vectors [B, width] of length 1 for the column `pieces`."""
        mask = batch.mask("pieces")
        pooled = torch.where(mask[..., None], self.states(batch), 0.0).sum(1) / mask.sum(1, keepdim=True)
        return F.normalize(pooled, dim=1)

    def states(self, batch: Batch) -> Tensor:
        """A vector for each piece, float32 [B, L, width], whatever stands where the mask is False."""
        mask = batch.mask("pieces")
        pieces = torch.where(mask, batch["pieces"], self.padding)
        states: Tensor = self.body(input_ids=pieces, attention_mask=mask.long()).last_hidden_state
        return states.float()

    def freeze(self, layers: int) -> None:
        """Keep the embeddings and so many layers above them as they are. BadInput where it has fewer."""
        if not layers:
            return
        stack = max((m for m in self.body.modules() if isinstance(m, nn.ModuleList)), key=len)
        if layers > len(stack):
            raise InputError(f"freeze: {layers} is more than the {len(stack)} layers of this checkpoint; lower freeze.")
        still = [part for name, part in self.body.named_children() if "embeddings" in name]
        for part in [*still, *stack[:layers]]:
            part.requires_grad_(False)

"""One vector per text: the mean of what a pretrained encoder makes of its pieces."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import PreTrainedModel

from credence.errors import BadInput
from credence.training import Batch


class Encoder(nn.Module):
    """Masked mean pooling at unit length (Reimers & Gurevych 2019); padding is never read."""

    def __init__(self, body: PreTrainedModel, padding: int) -> None:
        super().__init__()
        self.body, self.padding = body, padding

    @property
    def width(self) -> int:
        """Numbers in a vector."""
        return int(self.body.config.hidden_size)

    def forward(self, batch: Batch) -> Tensor:
        """Vectors [B, width] of length 1 for the column `pieces`."""
        mask = batch.mask("pieces")
        pieces = torch.where(mask, batch["pieces"], self.padding)
        states = self.body(input_ids=pieces, attention_mask=mask.long()).last_hidden_state.float()
        pooled = torch.where(mask[..., None], states, 0.0).sum(1) / mask.sum(1, keepdim=True)
        return F.normalize(pooled, dim=1)

    def freeze(self, layers: int) -> None:
        """Keep the embeddings and so many layers above them as they are. BadInput where it has fewer."""
        if not layers:
            return
        stack = max((m for m in self.body.modules() if isinstance(m, nn.ModuleList)), key=len)
        if layers > len(stack):
            raise BadInput(f"freeze: {layers} is more than the {len(stack)} layers of this checkpoint; lower freeze.")
        still = [part for name, part in self.body.named_children() if "embeddings" in name]
        for part in [*still, *stack[:layers]]:
            part.requires_grad_(False)

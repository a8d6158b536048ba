"""Dropout with masks that can be fixed: one mask for all rows, so that a row's draw does not depend on its batch."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class MaskedDropout(nn.Module):
    """Drops each of `width` features with probability p.

    In training every cell has its own mask. In evaluation nothing is dropped, unless masks are held.
    """

    def __init__(self, p: float, width: int) -> None:
        super().__init__()
        self.p, self.width = p, width
        self.held: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        """Drop features of x [..., width]. While masks of S > 1 passes are held, x [B, width] becomes [S, B, width]."""
        return F.dropout(x, self.p, self.training) if self.held is None else x * self.held.to(x)

    def hold(self, passes: int, generator: torch.Generator) -> None:
        """Draw one mask per pass, the same for all rows, and apply them until `release`."""
        masks = (torch.rand(passes, 1, self.width, generator=generator) >= self.p) / (1 - self.p)
        self.held = masks if passes > 1 else masks[0, 0]

    def release(self) -> None:
        """Remove the held masks."""
        self.held = None


def dropout_layers(module: nn.Module) -> list[MaskedDropout]:
    """Return the dropout layers of a module with p > 0, in order."""
    return [part for part in module.modules() if isinstance(part, MaskedDropout) and part.p > 0]


@contextmanager
def fixed_dropout_masks(layers: list[MaskedDropout], passes: int, *place: int) -> Iterator[None]:
    """Hold masks for `passes` passes in these layers inside the context, seeded by `passes` and `place`."""
    generator = torch.Generator().manual_seed(hash((passes, *place)) % 2**63)
    try:
        for layer in layers:
            layer.hold(passes, generator)
        yield
    finally:
        for layer in layers:
            layer.release()

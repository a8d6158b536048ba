"""Dropout that can be held: one mask for every row, so that a pass is one opinion, the same alone as in a batch."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class MaskedDropout(nn.Module):
    """Drops each of `width` features with probability p: anew for every cell to learn, as held to answer."""

    def __init__(self, p: float, width: int) -> None:
        super().__init__()
        self.p, self.width = p, width
        self.held: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        """x [..., width] with features dropped; all of them, untouched, where neither learning nor held.

        Held for S passes at once, x [B, width] becomes [S, B, width].
        """
        return F.dropout(x, self.p, self.training) if self.held is None else x * self.held.to(x)

    def hold(self, passes: int, generator: torch.Generator) -> None:
        """Keep these masks, shape (passes, 1, width), or (width,) for one pass, until `release`."""
        kept = (torch.rand(passes, 1, self.width, generator=generator) >= self.p) / (1 - self.p)
        self.held = kept if passes > 1 else kept[0, 0]

    def release(self) -> None:
        """Hold no mask any more."""
        self.held = None


def dropout_layers(module: nn.Module) -> list[MaskedDropout]:
    """The places of a module at which features are dropped, in their order."""
    return [part for part in module.modules() if isinstance(part, MaskedDropout) and part.p > 0]


@contextmanager
def fixed_dropout_masks(where: list[MaskedDropout], passes: int, *place: int) -> Iterator[None]:
    """The same masks for all rows inside, drawn by the numbers in `place` and by nothing else."""
    generator = torch.Generator().manual_seed(hash((passes, *place)) % 2**63)
    try:
        for site in where:
            site.hold(passes, generator)
        yield
    finally:
        for site in where:
            site.release()

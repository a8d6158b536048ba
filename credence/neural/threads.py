"""How many threads a network is worth: one for a small one, which more of them only slow down."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

SMALL = 2_000_000


@contextmanager
def threads_for(module: nn.Module) -> Iterator[None]:
    """One thread inside for a module of fewer than two million weights; others keep what torch was given."""
    before = torch.get_num_threads()
    if sum(weights.numel() for weights in module.parameters()) < SMALL:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)

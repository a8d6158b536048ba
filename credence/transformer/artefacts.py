"""Periodic artefacts of position in the vectors of tokens: watched while learning, taken out once they are certain."""

from dataclasses import replace

import torch
from torch import Tensor, nn

from credence.expectation.positions import HarmonicProjection
from credence.transformer.tokens import Tokens

PERIOD = 64


class Artefacts(nn.Module):
    """The harmonic projection of texts that reach over a period; it is fitted anew each time `rows` rows went by."""

    since: Tensor

    def __init__(self, width: int, longest: int, rows: int) -> None:
        super().__init__()
        self.rows = rows
        self.projection = HarmonicProjection(width, longest + 1, (PERIOD,))
        self.register_buffer("since", torch.zeros((), dtype=torch.int64))

    def forward(self, tokens: Tokens, y: Tensor | None = None) -> Tokens:
        """The tokens without the artefact; while learning, rows with answers y [B] are looked at first."""
        if self.training and y is not None:
            self._watch(tokens, y)
        return replace(tokens, x=self.projection(tokens.x, tokens.positions))

    @torch.no_grad()
    def _watch(self, tokens: Tokens, y: Tensor) -> None:
        words = tokens.mask & (tokens.segments >= 0)
        self.projection.observe(tokens.x, words, tokens.positions, y)
        self.since += len(y)
        if self.since >= self.rows:
            self.projection.fit()
            self.since.zero_()

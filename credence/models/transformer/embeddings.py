"""Token embeddings of texts and columns, each row with a start token, and the removal of position artifacts."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from credence.models.expectation.position_artifacts import HarmonicProjection
from credence.models.relations import FONE_WIDTH
from credence.models.training import Batch
from credence.models.transformer.column_tokens import QUANTITY_WIDTH, TableTokenizer
from credence.models.transformer.text_tokens import TextTokenizer

INITIAL_SD = 0.5


@dataclass(frozen=True)
class TokenBatch:
    """Embedded tokens of a batch.

    Attributes:
        x: Vectors, shape [B, L, d].
        mask: True for real tokens, bool [B, L].
        positions: Position ids, int64 [B, L].
        segments: Block of each token, -1 for the start token and padding, int64 [B, L].
    """

    x: Tensor
    mask: Tensor
    positions: Tensor
    segments: Tensor

    @classmethod
    def with_start(cls, start: Tensor, x: Tensor, mask: Tensor, segments: Tensor) -> "TokenBatch":
        """Prepend start tokens.

        Args:
            start: Vectors of the start tokens, shape [B, d].
            x: Vectors of the other tokens, shape [B, L, d].
            mask: True for real tokens, bool [B, L].
            segments: Block of each token, int64 [B, L].
        """
        first = mask.new_ones(len(mask), 1)
        positions = torch.arange(x.shape[1] + 1, device=x.device).expand(len(x), -1)
        behind = torch.cat([-first.long(), torch.where(mask, segments, -1)], dim=1)
        return cls(torch.cat([start[:, None], x], dim=1), torch.cat([first, mask], dim=1), positions, behind)

    @property
    def blocks(self) -> Tensor:
        """Number of blocks per row, int64 [B]."""
        return self.segments.amax(1) + 1


class TextEmbedding(nn.Module):
    """Embeds text tokens; the start token carries the relations between the numbers of the text.

    A number token is the shared vector of all numbers plus a projection of its Fourier features (FoNE).

    Args:
        reader: Encoder of the texts.
        width: Dimension of the vectors, d.
        sd: Standard deviation of the initial vectors.
    """

    def __init__(self, reader: TextTokenizer, width: int, sd: float = INITIAL_SD) -> None:
        super().__init__()
        self.number, self.ends = reader.number, reader.ends
        self.words = nn.Embedding(len(reader.vocabulary), width, padding_idx=0)
        self.start = nn.Parameter(sd * torch.randn(width))
        self.fone = nn.Linear(FONE_WIDTH, width, bias=False) if reader.fone else None
        self.relations = nn.Linear(len(reader.relations), width, bias=False) if reader.relations else None
        with torch.no_grad():
            self.words.weight.mul_(sd)

    def forward(self, batch: Batch) -> TokenBatch:
        """Embed a batch of texts; masked values are not read."""
        mask = batch.mask("words")
        words = torch.where(mask, batch["words"], 0)
        x = self.words(words)
        if self.fone is not None:
            coded = self.fone(batch["numbers"][batch.mask("numbers")]).to(x.dtype)
            x = x.index_put((words == self.number).nonzero(as_tuple=True), coded, accumulate=True)
        start = self.start.expand(len(words), -1)
        start = start if self.relations is None else start + self.relations(batch["relations"])
        return TokenBatch.with_start(start, x, mask, self._sentences(words))

    def _sentences(self, words: Tensor) -> Tensor:
        """Return the sentence number of each token, int64 [B, L]; end signs belong to the sentence that they end."""
        ends = torch.isin(words, torch.tensor(self.ends, device=words.device, dtype=words.dtype))
        begins = torch.zeros_like(ends)
        begins[:, 1:] = ends[:, :-1] & ~ends[:, 1:]
        return begins.long().cumsum(1)


class TableEmbedding(nn.Module):
    """Embeds columns: a vector of the column plus one of its value.

    The value of a number is a learned combination of its three features. A category has a vector per code; that of
    an unknown category is initially 0.

    Args:
        reader: Encoder of the rows.
        width: Dimension of the vectors, d.
    """

    def __init__(self, reader: TableTokenizer, width: int) -> None:
        super().__init__()
        quantities, categories = len(reader.quantities), len(reader.categories)
        self.start = nn.Parameter(INITIAL_SD * torch.randn(width))
        self.column = nn.Parameter(INITIAL_SD * torch.randn(quantities + categories, width))
        self.values = nn.Parameter(INITIAL_SD * torch.randn(quantities, QUANTITY_WIDTH, width))
        self.categories = nn.Embedding(max(reader.codes, 1), width)
        with torch.no_grad():
            self.categories.weight.mul_(INITIAL_SD)
            self.categories.weight[reader.unknown] = 0.0

    def forward(self, batch: Batch) -> TokenBatch:
        """Embed a batch of rows: numbers first, then categories; every token is a block."""
        numbers = torch.einsum("bqf,qfd->bqd", batch["quantities"], self.values)
        x = torch.cat([numbers, self.categories(batch["categories"])], dim=1) + self.column
        segments = torch.arange(x.shape[1], device=x.device).expand(len(x), -1)
        return TokenBatch.with_start(
            self.start.expand(len(x), -1), x, torch.ones_like(segments, dtype=torch.bool), segments
        )


PERIOD = 64


class PositionArtifactFilter(nn.Module):
    """Removes position artifacts of period 64 from texts; refitted in training after every `rows` rows.

    Args:
        width: Dimension of the vectors, d.
        longest: Most tokens per text, without the start token.
        rows: Number of training rows.
    """

    since: Tensor

    def __init__(self, width: int, longest: int, rows: int) -> None:
        super().__init__()
        self.rows = rows
        self.projection = HarmonicProjection(width, longest + 1, (PERIOD,))
        self.register_buffer("since", torch.zeros((), dtype=torch.int64))

    def forward(self, tokens: TokenBatch, y: Tensor | None = None) -> TokenBatch:
        """Subtract the artifact from tokens; in training, observe them first, with labels y [B]."""
        if self.training and y is not None:
            self._observe(tokens, y)
        return replace(tokens, x=self.projection(tokens.x, tokens.positions))

    @torch.no_grad()
    def _observe(self, tokens: TokenBatch, y: Tensor) -> None:
        words = tokens.mask & (tokens.segments >= 0)
        self.projection.observe(tokens.x, words, tokens.positions, y)
        self.since += len(y)
        if self.since >= self.rows:
            self.projection.fit()
            self.since.zero_()

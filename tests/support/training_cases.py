"""A tiny module, tiny rows and what tests of the training engine do with them."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from credence.models.training import Batch, History, Loss, PaddedRows, Trainable, Training, seeded, train

WORDS, WIDTH = 40, 4
QUICK = {"epochs": 3, "batch_rows": 16, "learning_rate": 0.05, "patience": 3, "device": "cpu"}
OFTEN = {"checkpoint_seconds": 0}


class Bag(Trainable):
    """The mean of a row's embedded words, dropout and one linear layer."""

    def __init__(self, words: int = WORDS, width: int = WIDTH, dropout: float = 0.3, penalty: float = 0.0) -> None:
        super().__init__()
        self.words, self.dropout, self.head = nn.Embedding(words, width), nn.Dropout(dropout), nn.Linear(width, 1)
        self.unread = nn.Parameter(torch.ones(2, 2))
        self.penalty, self.asked = penalty, list[list[str]]()

    def forward(self, batch: Batch) -> Tensor:
        mask = batch.mask("tokens")[..., None]
        mean = (self.words(batch["tokens"]) * mask).sum(1) / mask.sum(1).clamp(min=1)
        out: Tensor = self.head(self.dropout(mean)).squeeze(-1)
        return out

    def loss(self, batch: Batch) -> Loss:
        self.asked.append(batch.ids)
        nll = nn.functional.binary_cross_entropy_with_logits(self(batch).float(), batch["label"], reduction="none")
        return Loss(nll, self.penalty * self.head.weight.square().sum())


class Spoilt(Bag):
    """Its loss, or its gradient, is no number for one row."""

    def __init__(self, row: str, what: str = "loss") -> None:
        super().__init__()
        self.row, self.what = row, what

    def loss(self, batch: Batch) -> Loss:
        nll, penalty = super().loss(batch)
        here = torch.tensor([row == self.row for row in batch.ids])
        no_number = torch.full_like(nll, float("nan")) if self.what == "loss" else nll + (self.head.bias * 0).sqrt()
        return Loss(torch.where(here, no_number, nll), penalty)


class Hungry(Bag):
    """Has memory for so many rows at a time."""

    def __init__(self, most: int, error: Exception | None = None, training_only: bool = True, **more: Any) -> None:
        super().__init__(**more)
        self.most, self.training_only = most, training_only
        self.error = error or torch.OutOfMemoryError("CUDA out of memory")

    def loss(self, batch: Batch) -> Loss:
        loss = super().loss(batch)
        if len(batch) > self.most and (self.training or not self.training_only):
            raise self.error
        return loss


def encoded(n: int, seed: int = 0, longest: int = 12) -> PaddedRows:
    """Rows whose label is whether more than half of their words are of the upper half; some have no words."""
    dice = torch.Generator().manual_seed(seed)
    lengths = torch.randint(0, longest + 1, (n,), generator=dice).tolist()
    tokens = [torch.randint(0, WORDS, (length,), generator=dice) for length in lengths]
    labels = [float((row >= WORDS // 2).float().mean() > 0.5) if len(row) else 0.0 for row in tokens]
    return PaddedRows([f"row-{seed}-{i}" for i in range(n)], {"tokens": tokens, "label": torch.tensor(labels)})


def settings(**changed: Any) -> Training:
    return Training(**{**QUICK, **changed})


def bag(seed: int = 0, **more: Any) -> Bag:
    with seeded(seed):
        return Bag(**more)


def taught(
    folder: Path | None = None, module: Trainable | None = None, n: int = 100, **changed: Any
) -> tuple[Trainable, History]:
    """A module that learned n rows, and how."""
    module = module or bag()
    return module, train(module, encoded(n), encoded(60, seed=1), settings(**changed), folder)


class Interrupted(Exception):
    """Stops a run where a test wants it."""


def interrupted(folder: Path, module: Bag, after: int, n: int = 100, **changed: Any) -> None:
    """A run that dies once it has made so many passes to learn from."""
    loss, left = module.loss, [after]

    def stopping(batch: Batch) -> Loss:
        left[0] -= module.training
        if left[0] < 0:
            raise Interrupted
        return loss(batch)

    module.loss = stopping  # type: ignore[method-assign]
    with suppress(Interrupted):
        taught(folder, module, n, **{**OFTEN, **changed})
    assert left[0] < 0, "it ended before"


def bits(module: nn.Module) -> dict[str, bytes]:
    """The weights, to be compared bit by bit."""
    return {name: tensor.numpy().tobytes() for name, tensor in module.state_dict().items()}


def curve(history: History) -> list[tuple[float, float | None, float]]:
    """All of a history that is no time."""
    return [(e.loss, e.held_out, e.gradient_norm) for e in history.epochs]


def names(folder: Path) -> Sequence[str]:
    return sorted(f.name for f in folder.iterdir())

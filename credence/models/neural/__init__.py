"""Base class of torch kinds: encode rows, train with the engine, draw p(yes), save as safetensors and JSON."""

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import torch
from pydantic import Field, PrivateAttr
from safetensors.torch import load_file, save
from sklearn.model_selection import train_test_split
from torch import Tensor, nn
from torch.nn import functional as F

from credence.core.errors import InputError
from credence.model import Labels, Model, TrainingRecord
from credence.models.neural.dropout import dropout_layers, fixed_dropout_masks
from credence.models.neural.row_encoder import RowEncoder
from credence.models.training import Batch, Epoch, History, Loss, PaddedRows, Trainable, Training, seeded, train
from credence.models.training.batches import batches_by_length
from credence.statistics.uncertainty import Array

SINGLE_THREAD_WEIGHTS = 2_000_000


@contextmanager
def limit_threads(module: nn.Module) -> Iterator[None]:
    """Use one torch thread inside the context if the module has fewer than two million parameters.

    More threads cost time on small modules.
    """
    before = torch.get_num_threads()
    if sum(weights.numel() for weights in module.parameters()) < SINGLE_THREAD_WEIGHTS:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


WEIGHTS, READER = "weights.safetensors", "reader.json"
MIN_HELD_OUT_ROWS = 2
IntArray = np.ndarray[Any, np.dtype[np.intp]]


class TwoPartModule(Trainable):
    """A module in two parts: `encode` turns rows into features, `head` turns features into logits."""

    head: nn.Module

    def encode(self, batch: Batch) -> Tensor:
        """Return features [B, d] of a batch of B rows."""
        raise NotImplementedError

    def score(self, features: Tensor) -> Tensor:
        """Return logits [B] of features [B, d], or [S, B] while dropout masks of S passes are held."""
        scored: Tensor = self.head(features).squeeze(-1)
        return scored

    def loss(self, batch: Batch) -> Loss:
        """Return the cross-entropy of each row in nats; the penalty is 0."""
        logits = self.score(self.encode(batch)).float()
        return Loss(F.binary_cross_entropy_with_logits(logits, batch["label"].float(), reduction="none"))


class TorchModel(Training, Model):
    """Base class of kinds that are torch modules; the fields of `Training` are fields of the kind."""

    read_by: ClassVar[type[RowEncoder]]
    held_out: float = Field(
        0.1,
        gt=0,
        lt=0.5,
        description="Share of the training rows used for early stopping. Too few rows of a label: no early stopping.",
    )
    dropout: float = Field(0.1, ge=0, lt=1, description="dropout probability")
    _reader: RowEncoder = PrivateAttr()
    _module: TwoPartModule = PrivateAttr()
    _history: History = PrivateAttr(default_factory=History)

    @property
    def batch_tolerance(self) -> float:
        """1e-5: float32 sums depend on the shape of the batch."""
        return 1e-5

    def training_record(self) -> TrainingRecord:
        """Return costs, loss curves in nats per epoch, and notes."""
        epochs = self._history.epochs
        held_out = {"held-out log-loss": [e.held_out for e in epochs if e.held_out is not None]}
        curves = {"loss": [e.loss for e in epochs], **(held_out if held_out["held-out log-loss"] else {})}
        return super().training_record().model_copy(update={"curves": curves, "notes": self._history.notes})

    def _read(self, X: pd.DataFrame) -> RowEncoder:
        """Fit the row encoder to the training rows."""
        raise NotImplementedError

    def _build(self, reader: RowEncoder) -> TwoPartModule:
        """Build the module with initial weights."""
        raise NotImplementedError

    def _draw_batch(self, batch: Batch) -> Tensor:
        """Return probabilities of yes [S, B], float64; a row's may not depend on other rows of the batch."""
        return torch.sigmoid(self._module.score(self._module.encode(batch)).double())[None]

    def _finish(self, rows: PaddedRows, held_out: PaddedRows | None) -> None:
        """Fit what depends on the trained weights; called once after training."""

    def _fit(self, X: pd.DataFrame, y: Labels) -> None:
        if len(np.unique(y)) < 2:
            raise InputError(f"all {len(y)} training rows have the same answer; a model needs rows of both.")
        learn, stop = self._split(y)
        self._reader = self._read(X.iloc[learn])
        with seeded(self.seed, "first weights"):
            self._module = self._build(self._reader)
        rows, held_out = self._rows(X.iloc[learn], y[learn]), self._rows(X.iloc[stop], y[stop]) if len(stop) else None
        self._history = self._learn(rows, held_out)
        self._finish(rows, held_out)

    def _learn(self, rows: PaddedRows, held_out: PaddedRows | None) -> History:
        """Run the engine; remove the training checkpoints at the end."""
        about = {**self.model_dump(mode="json"), "kind": self.kind(), "reader": self._reader.digest()}
        name = hashlib.sha256(json.dumps([about, rows.digest()], sort_keys=True).encode()).hexdigest()[:12]
        folder = self._root / f"{self.kind()}-{name}" if self._root else None
        with limit_threads(self._module):
            history = train(self._module, rows, held_out, self.settings(), folder, self._report, about)
        if folder:
            shutil.rmtree(folder / "training")
        return history

    def _report(self, epoch: Epoch) -> None:
        if self._watch:
            self._watch(epoch.number, epoch.metrics())

    def settings(self) -> Training:
        """Return the hyper-parameters that the engine reads."""
        return Training(**{name: getattr(self, name) for name in Training.model_fields})

    def _split(self, y: Labels) -> tuple[IntArray, IntArray]:
        """Return row numbers for training and for early stopping, stratified by label."""
        numbers = np.arange(len(y))
        if self.held_out * np.bincount(y, minlength=2).min() < MIN_HELD_OUT_ROWS:
            return numbers, numbers[:0]
        learn, stop = train_test_split(numbers, test_size=self.held_out, random_state=self.seed, stratify=y)
        return np.sort(learn), np.sort(stop)

    def _rows(self, X: pd.DataFrame, y: Labels | None = None) -> PaddedRows:
        label = {} if y is None else {"label": torch.as_tensor(y)}
        return PaddedRows([str(i) for i in X.index], {**self._reader.columns(X), **label})

    def _draws(self, X: pd.DataFrame) -> Array:
        return self._apply_in_batches(self._rows(X), self._draw_batch)

    def sampled(self, X: pd.DataFrame, passes: int, full: bool = False) -> Array:
        """Draw p(yes) by MC dropout (Gal & Ghahramani 2016).

        Args:
            X: Inputs, shape (rows, columns).
            passes: Number of draws; each is one mask for all rows.
            full: Drop features everywhere, which costs `passes` forward passes. Default: only after pooling, which
                costs one.

        Returns:
            Probabilities, float64, shape (passes, rows).

        Raises:
            InputError: The module has no dropout.
        """
        if not dropout_layers(self._module):
            raise InputError(f"{self.kind()!r} drops no features, so its passes would all agree; set dropout above 0.")
        return self._apply_in_batches(self._rows(X), lambda batch: self._mc_dropout(batch, passes, full))

    def _mc_dropout(self, batch: Batch, passes: int, full: bool) -> Tensor:
        """Return MC dropout probabilities [passes, B], with one mask per pass for all rows."""
        if full:
            return torch.cat([self._mc_dropout_pass(batch, number) for number in range(passes)])
        features = self._module.encode(batch)
        with fixed_dropout_masks(dropout_layers(self._module.head), passes, self.seed):
            return torch.sigmoid(self._module.score(features).double())

    def _mc_dropout_pass(self, batch: Batch, number: int) -> Tensor:
        with fixed_dropout_masks(dropout_layers(self._module), 1, self.seed, number):
            return torch.sigmoid(self._module.score(self._module.encode(batch)).double())[None]

    def _apply_in_batches(self, rows: PaddedRows, answer: Callable[[Batch], Tensor]) -> Array:
        """Apply `answer` to batches of similar length; return shape (draws, rows)."""
        if not len(rows):
            return np.zeros((1, 0))
        with torch.inference_mode(), limit_threads(self._module):
            parts = [(numbers, answer(rows.batch(numbers)).numpy()) for numbers in self._batches(rows)]
        draws = np.empty((len(parts[0][1]), len(rows)))
        for numbers, part in parts:
            draws[:, numbers] = part
        return draws

    def _batches(self, rows: PaddedRows) -> Iterator[list[int]]:
        return batches_by_length(rows.lengths, self.settings())

    def _save(self, folder: Path) -> None:
        (folder / WEIGHTS).write_bytes(save({n: t.contiguous() for n, t in self._module.state_dict().items()}))
        (folder / READER).write_text(self._reader.model_dump_json())
        self._history.save(folder)

    def _load(self, folder: Path) -> None:
        self._reader = self.read_by.model_validate_json((folder / READER).read_text())
        with seeded(self.seed, "first weights"):
            self._module = self._build(self._reader)
        self._module.load_state_dict(load_file(folder / WEIGHTS))
        self._module.eval()
        self._history = History.read(folder)

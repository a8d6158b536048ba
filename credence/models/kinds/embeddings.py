"""Logistic regression on the sentence vectors of a pretrained encoder that is left as it is."""

import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd
import torch
from pydantic import Field, PrivateAttr
from safetensors.torch import load_file
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from credence.core.errors import InputError
from credence.model import Labels, Model
from credence.models.pretrained.checkpoint import empty_encoder, load_checkpoint
from credence.models.pretrained.sentence_encoder import SentenceEncoder
from credence.models.pretrained.tokenization import PieceEncoder
from credence.models.training import PaddedRows, Training
from credence.models.training.batches import batches_by_length
from credence.models.training.device import chosen_device
from credence.models.training.weight_files import pack_tensors
from credence.statistics.calibration import log_loss
from credence.statistics.cross_validation import PROGRESS_DELAY_SECONDS, stratified_folds
from credence.statistics.uncertainty import Array, sigmoid

READER, ENCODER, REGRESSION = "reader.json", "encoder.safetensors", "regression.npz"
CPU = torch.device("cpu")
STRENGTHS, DEFAULT_STRENGTH = (1.0, 3.0, 10.0, 30.0, 100.0, 300.0), 10.0


class Embeddings(Model):
    """Texts as vectors of length 1, the mean of what the encoder makes of their pieces, computed once per fit.

    Each fold's regression learns on the other folds and is one draw. `C: auto` takes, of six, the inverse penalty with
    the lowest log-loss on the folds' held-out rows. `minilm` is all-MiniLM-L6-v2 as a package.
    """

    reads = "text"
    checkpoint: str = Field("minilm", min_length=1)
    folds: int = Field(5, ge=1)
    C: Annotated[float, Field(gt=0)] | Literal["auto"] = "auto"
    longest: int = Field(256, ge=2)
    batch_rows: int = Field(32, ge=1)
    device: Literal["auto", "cpu", "cuda"] = "auto"
    _reader: PieceEncoder = PrivateAttr()
    _encoder: SentenceEncoder = PrivateAttr()
    _coef: Array = PrivateAttr()
    _intercept: Array = PrivateAttr()
    _out_of_fold: Array | None = PrivateAttr(default=None)

    @property
    def batch_tolerance(self) -> float:
        return 1e-5

    def out_of_fold(self) -> Array | None:
        """p(yes) of every training row, in fit's order, by a regression that did not learn from it, or None."""
        return self._out_of_fold

    def _fit(self, X: pd.DataFrame, y: Labels) -> None:
        if len(np.unique(y)) < 2:
            raise InputError(f"all {len(y)} training rows have the same answer; a model needs rows of both.")
        found = load_checkpoint(self.checkpoint, self.longest)
        self._reader = PieceEncoder.of(found, self.longest)
        self._encoder = SentenceEncoder(found.encoder, self._reader.padding).eval()
        Z = self._vectors(X, chosen_device(Training(device=self.device)))
        with threadpool_limits(1):
            self._learn(Z, y, stratified_folds(y, self.folds, self.seed))

    def _vectors(self, X: pd.DataFrame, device: torch.device = CPU) -> Array:
        """Sentence vectors, shape (rows, width), batch by batch of like length."""
        rows = PaddedRows([str(i) for i in X.index], self._reader.columns(X))
        vectors = np.empty((len(rows), self._encoder.width))
        self._encoder.to(device)
        with torch.inference_mode(), self._shown(len(rows)) as bar:
            for numbers in batches_by_length(rows.lengths, Training(batch_rows=self.batch_rows)):
                vectors[numbers] = self._encoder(rows.batch(numbers).to(device)).cpu().numpy()
                bar.update(len(numbers))
        self._encoder.to(CPU)
        return vectors

    def _shown(self, rows: int) -> "tqdm[Any]":
        """Rows with rate and time to go, once they have taken three seconds."""
        return tqdm(
            total=rows, desc=f"  {self.kind()}", unit="row", delay=PROGRESS_DELAY_SECONDS, leave=False, file=sys.stderr
        )

    def _learn(self, Z: Array, y: Labels, dealt: list[tuple[Any, Any]]) -> None:
        parts = [train for train, _ in dealt] or [np.arange(len(y))]
        fitted = [self._regressions(Z, y, parts, C) for C in self._strengths(bool(dealt))]
        unseen = [_unseen(Z, dealt, *regressions) for regressions in fitted]
        best = int(np.argmin([log_loss(p, y) for p in unseen])) if dealt else 0
        self._coef, self._intercept = fitted[best]
        self._out_of_fold = unseen[best] if dealt else None

    def _strengths(self, can_choose: bool) -> tuple[float, ...]:
        if self.C != "auto":
            return (self.C,)
        return STRENGTHS if can_choose else (DEFAULT_STRENGTH,)

    def _regressions(self, Z: Array, y: Labels, parts: list[Any], C: float) -> tuple[Array, Array]:
        """Coefficients (parts, width) and intercepts (parts,), one regression for each list of row numbers."""
        fitted = [LogisticRegression(C=C, max_iter=1000).fit(Z[part], y[part]) for part in parts]
        return np.stack([m.coef_[0] for m in fitted]), np.array([m.intercept_[0] for m in fitted])

    def _draws(self, X: pd.DataFrame) -> Array:
        return _scored(self._vectors(X), self._coef, self._intercept)

    def _save(self, folder: Path) -> None:
        (folder / READER).write_text(self._reader.model_dump_json())
        (folder / ENCODER).write_bytes(pack_tensors({n: t.contiguous() for n, t in self._encoder.state_dict().items()}))
        held = self._out_of_fold if self._out_of_fold is not None else np.zeros(0)
        with (folder / REGRESSION).open("wb") as file:
            np.savez(file, coef=self._coef, intercept=self._intercept, out_of_fold=held)

    def _load(self, folder: Path) -> None:
        self._reader = PieceEncoder.model_validate_json((folder / READER).read_text())
        self._encoder = SentenceEncoder(empty_encoder(self._reader.config), self._reader.padding).eval()
        self._encoder.load_state_dict(load_file(folder / ENCODER))
        with np.load(folder / REGRESSION, allow_pickle=False) as found:
            self._coef, self._intercept = found["coef"], found["intercept"]
            self._out_of_fold = found["out_of_fold"] if found["out_of_fold"].size else None


def _scored(Z: Array, coef: Array, intercept: Array) -> Array:
    """Probabilities of yes (regressions, rows), of vectors (rows, width)."""
    return sigmoid(Z @ coef.T + intercept).T


def _unseen(Z: Array, dealt: list[tuple[Any, Any]], coef: Array, intercept: Array) -> Array:
    """p(yes) of every row by the regression that did not learn from it, shape (rows,); nothing without folds."""
    p = np.empty(len(Z) if dealt else 0)
    for i, (_, held) in enumerate(dealt):
        p[held] = _scored(Z[held], coef[[i]], intercept[[i]])[0]
    return p

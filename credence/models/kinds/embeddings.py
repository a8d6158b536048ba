"""Logistic regression on sentence vectors of a frozen pretrained encoder."""

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
    """Logistic regression on mean-pooled vectors of length 1 (Reimers & Gurevych 2019), computed once per fit.

    A fold's regression is fitted on the other folds and is one draw.
    """

    reads = "text"
    checkpoint: str = Field(
        "minilm",
        min_length=1,
        description="folder, name on the Hugging Face Hub, or `minilm`, the package of all-MiniLM-L6-v2",
    )
    folds: int = Field(5, ge=1, description="number of folds; 1 is a single fit on all rows")
    C: Annotated[float, Field(gt=0)] | Literal["auto"] = Field(
        "auto",
        description=(
            "Inverse of the L2 penalty. `auto` takes the best of six by out-of-fold log-loss, and 10 for one fold."
        ),
    )
    longest: int = Field(256, ge=2, description="most word pieces per text")
    batch_rows: int = Field(32, ge=1, description="texts per forward pass")
    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto", description="device during `fit`; draws are computed on the CPU"
    )
    _reader: PieceEncoder = PrivateAttr()
    _encoder: SentenceEncoder = PrivateAttr()
    _coef: Array = PrivateAttr()
    _intercept: Array = PrivateAttr()
    _out_of_fold: Array | None = PrivateAttr(default=None)

    @property
    def batch_tolerance(self) -> float:
        """1e-5: float32 sums depend on the shape of the batch."""
        return 1e-5

    def out_of_fold(self) -> Array | None:
        """Return p(yes) of each training row by the regression of its fold, shape (rows,); None for one fold."""
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
        """Compute sentence vectors, shape (rows, width), in batches of similar length."""
        rows = PaddedRows([str(i) for i in X.index], self._reader.columns(X))
        vectors = np.empty((len(rows), self._encoder.width))
        self._encoder.to(device)
        with torch.inference_mode(), self._progress_bar(len(rows)) as bar:
            for numbers in batches_by_length(rows.lengths, Training(batch_rows=self.batch_rows)):
                vectors[numbers] = self._encoder(rows.batch(numbers).to(device)).cpu().numpy()
                bar.update(len(numbers))
        self._encoder.to(CPU)
        return vectors

    def _progress_bar(self, rows: int) -> "tqdm[Any]":
        """Rows; shown after three seconds."""
        return tqdm(
            total=rows, desc=f"  {self.kind()}", unit="row", delay=PROGRESS_DELAY_SECONDS, leave=False, file=sys.stderr
        )

    def _learn(self, Z: Array, y: Labels, folds: list[tuple[Any, Any]]) -> None:
        parts = [train for train, _ in folds] or [np.arange(len(y))]
        fitted = [self._regressions(Z, y, parts, C) for C in self._strengths(bool(folds))]
        unseen = [_unseen(Z, folds, *regressions) for regressions in fitted]
        best = int(np.argmin([log_loss(p, y) for p in unseen])) if folds else 0
        self._coef, self._intercept = fitted[best]
        self._out_of_fold = unseen[best] if folds else None

    def _strengths(self, can_choose: bool) -> tuple[float, ...]:
        if self.C != "auto":
            return (self.C,)
        return STRENGTHS if can_choose else (DEFAULT_STRENGTH,)

    def _regressions(self, Z: Array, y: Labels, parts: list[Any], C: float) -> tuple[Array, Array]:
        """Fit one regression per list of row numbers; return coefficients (parts, width) and intercepts (parts,)."""
        fitted = [LogisticRegression(C=C, max_iter=1000).fit(Z[part], y[part]) for part in parts]
        return np.stack([m.coef_[0] for m in fitted]), np.array([m.intercept_[0] for m in fitted])

    def _draws(self, X: pd.DataFrame) -> Array:
        return _scored(self._vectors(X), self._coef, self._intercept)

    def _save(self, folder: Path) -> None:
        (folder / READER).write_text(self._reader.model_dump_json())
        (folder / ENCODER).write_bytes(pack_tensors({n: t.contiguous() for n, t in self._encoder.state_dict().items()}))
        unseen = self._out_of_fold if self._out_of_fold is not None else np.zeros(0)
        with (folder / REGRESSION).open("wb") as file:
            np.savez(file, coef=self._coef, intercept=self._intercept, out_of_fold=unseen)

    def _load(self, folder: Path) -> None:
        self._reader = PieceEncoder.model_validate_json((folder / READER).read_text())
        self._encoder = SentenceEncoder(empty_encoder(self._reader.config), self._reader.padding).eval()
        self._encoder.load_state_dict(load_file(folder / ENCODER))
        with np.load(folder / REGRESSION, allow_pickle=False) as found:
            self._coef, self._intercept = found["coef"], found["intercept"]
            self._out_of_fold = found["out_of_fold"] if found["out_of_fold"].size else None


def _scored(Z: Array, coef: Array, intercept: Array) -> Array:
    """Return probabilities of yes (regressions, rows) of vectors (rows, width)."""
    return sigmoid(Z @ coef.T + intercept).T


def _unseen(Z: Array, folds: list[tuple[Any, Any]], coef: Array, intercept: Array) -> Array:
    """Return p(yes) of every row by the regression of its fold, shape (rows,); empty without folds."""
    p = np.empty(len(Z) if folds else 0)
    for i, (_, test) in enumerate(folds):
        p[test] = _scored(Z[test], coef[[i]], intercept[[i]])[0]
    return p

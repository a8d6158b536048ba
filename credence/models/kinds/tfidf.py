"""Logistic regression on word and character n-grams, weighted by TF-IDF and by association with the label."""

import json
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field, PrivateAttr
from scipy.sparse import csr_matrix, diags
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from credence.core.errors import InputError
from credence.data.text import CHAR_NGRAM_PREFIX, Span, count_ngrams, ngrams
from credence.model import Labels, Model
from credence.statistics.cross_validation import stratified_folds, with_progress
from credence.statistics.uncertainty import Array, sigmoid

MAX_CHARACTERS = 3_000_000  # `char_ngrams: auto` reads character n-grams up to this size of the training texts
ROWS_PER_COUNT = 10_000  # a term must occur once more for every so many training rows
Flags = NDArray[np.bool_]


class TfIdf(Model):
    """Logistic regression on n-grams; a fold's model is fitted on the other folds and is one draw.

    The weight of a term is (1 + log count) * idf * sqrt |log-count ratio of the labels|, after Wang & Manning (2012).
    """

    reads = "text"
    folds: int = Field(5, ge=1, description="number of folds; 1 is a single fit on all rows")
    word_ngrams: Span = Field((1, 2), description="shortest and longest word n-gram")
    char_ngrams: Span | Literal["auto"] | None = Field(
        "auto",
        description=(
            "Shortest and longest character n-gram within words. `auto` is 2 to 5 if the training texts have at "
            "most three million characters, else none."
        ),
    )
    max_features: int = Field(300_000, ge=1, description="most terms, by frequency")
    C: float = Field(10.0, gt=0, description="inverse of the L2 penalty")
    _pieces: Span | None = PrivateAttr(default=None)
    _known: dict[str, int] = PrivateAttr(default_factory=dict)
    _is_piece: Flags = PrivateAttr()
    _weight: Array = PrivateAttr()
    _coef: Array = PrivateAttr()
    _intercept: Array = PrivateAttr()
    _out_of_fold: Array | None = PrivateAttr(default=None)

    def out_of_fold(self) -> Array | None:
        """Return p(yes) of each training row by the model of its fold, shape (rows,); None for one fold."""
        return self._out_of_fold

    def _fit(self, X: pd.DataFrame, y: Labels) -> None:
        if len(np.unique(y)) < 2:
            raise InputError(f"all {len(y)} training rows have the same answer; a model needs rows of both.")
        texts = X["text"].tolist()
        self._pieces = self._span(sum(map(len, texts)))
        vocabulary, counts = count_ngrams(texts, self.word_ngrams, self._pieces)
        self._is_piece = _are_pieces(vocabulary)
        counts.data = 1 + np.log(counts.data)
        folds = stratified_folds(y, self.folds, self.seed)
        with threadpool_limits(1):
            fitted = [self._fold(counts, y, train) for train, _ in with_progress(folds, self.kind())]
            fitted = fitted or [self._fold(counts, y, np.arange(len(y)))]
        weight, coef, intercept = zip(*fitted, strict=True)
        self._weight, self._coef, self._intercept = (np.stack(p, axis=-1) for p in (weight, coef, intercept))
        self._out_of_fold = self._held_out(counts, folds) if folds else None
        self._drop_unused(vocabulary)

    def _span(self, characters: int) -> Span | None:
        if self.char_ngrams == "auto":
            return (2, 5) if characters <= MAX_CHARACTERS else None
        return self.char_ngrams

    def _fold(self, counts: csr_matrix, y: Labels, train: Any) -> tuple[Array, Array, float]:
        """Fit weight and coefficient of every term, and the intercept, to the rows `train`."""
        weight = self._weights(counts[train], y[train])
        used = np.flatnonzero(weight)
        Z = _blocks(counts[train][:, used], weight[used], self._is_piece[used])
        model = LogisticRegression(C=self.C, solver="liblinear", random_state=self.seed).fit(Z, y[train])
        coef = np.zeros(len(weight))
        coef[used] = model.coef_[0]
        return weight, coef, float(model.intercept_[0])

    def _weights(self, counts: csr_matrix, y: Labels) -> Array:
        present = (counts > 0).astype(np.float64)
        yes, no = (np.asarray(present[y == answer].sum(0)).ravel() for answer in (1, 0))
        row_counts, n = yes + no, len(y)
        ratio = np.log((yes + 1) / (y.sum() + 2)) - np.log((no + 1) / (n - y.sum() + 2))
        weight = (np.log((1 + n) / (1 + row_counts)) + 1) * np.sqrt(np.abs(ratio))
        return np.where(self._kept(row_counts, n), weight, 0.0)

    def _kept(self, row_counts: Array, n: int) -> Flags:
        """Return which terms occur in enough of the n rows; character n-grams must occur once more than words."""
        kept = row_counts >= 1 + n // ROWS_PER_COUNT + self._is_piece
        if kept.sum() > self.max_features:
            kept &= row_counts > np.sort(row_counts)[-self.max_features - 1]
        return np.asarray(kept)

    def _held_out(self, counts: csr_matrix, folds: list[Any]) -> Array:
        p = np.empty(counts.shape[0])
        for i, (_, test) in enumerate(folds):
            Z = _blocks(counts[test], self._weight[:, i], self._is_piece)
            p[test] = sigmoid(Z @ self._coef[:, i] + self._intercept[i])
        return p

    def _drop_unused(self, vocabulary: list[str]) -> None:
        used = np.flatnonzero(self._weight.any(1))
        self._known = {vocabulary[i]: place for place, i in enumerate(used)}
        self._is_piece, self._weight, self._coef = self._is_piece[used], self._weight[used], self._coef[used]

    def _draws(self, X: pd.DataFrame) -> Array:
        return np.array([self._score(text) for text in X["text"]]).reshape(len(X), len(self._intercept)).T

    def _score(self, text: str) -> Array:
        """Return p(yes) of one text by every fold's model, shape (folds,)."""
        found = [i for t in ngrams(text, self.word_ngrams, self._pieces) if (i := self._known.get(t)) is not None]
        ids, times = np.unique(np.array(found, dtype=np.intp), return_counts=True)
        value = (1 + np.log(times))[:, None] * self._weight[ids]
        score = self._intercept.copy()
        for block in (self._is_piece[ids], ~self._is_piece[ids]):
            length = np.sqrt((value[block] ** 2).sum(0))
            score += (value[block] * self._coef[ids][block]).sum(0) / np.where(length > 0, length, 1.0)
        return sigmoid(score)

    @classmethod
    def search_space(cls, trial: Any) -> dict[str, Any]:
        """Suggest the penalty."""
        return {"C": trial.suggest_float("C", 0.1, 100, log=True)}

    def _save(self, folder: Path) -> None:
        (folder / "terms.json").write_text(json.dumps({"pieces": self._pieces, "terms": list(self._known)}))
        unseen = self._out_of_fold if self._out_of_fold is not None else np.zeros(0)
        arrays = {"weight": self._weight, "coef": self._coef, "intercept": self._intercept, "out_of_fold": unseen}
        with (folder / "weights.npz").open("wb") as file:
            np.savez_compressed(file, allow_pickle=False, **arrays)

    def _load(self, folder: Path) -> None:
        stored = json.loads((folder / "terms.json").read_text())
        self._pieces = tuple(stored["pieces"]) if stored["pieces"] else None
        self._known = {term: i for i, term in enumerate(stored["terms"])}
        self._is_piece = _are_pieces(stored["terms"])
        with np.load(folder / "weights.npz", allow_pickle=False) as found:
            self._weight, self._coef, self._intercept = found["weight"], found["coef"], found["intercept"]
            self._out_of_fold = found["out_of_fold"] if found["out_of_fold"].size else None


def _are_pieces(vocabulary: list[str]) -> Flags:
    return np.array([term.startswith(CHAR_NGRAM_PREFIX) for term in vocabulary], dtype=bool)


def _blocks(counts: csr_matrix, weight: Array, is_piece: Flags) -> csr_matrix:
    """Weight the counts; scale the words of a row to length 1, and its character n-grams to length 1."""
    Z = (counts @ diags(weight)).tocsr()
    return sum(_unit(Z @ diags(block.astype(np.float64))) for block in (~is_piece, is_piece))


def _unit(Z: csr_matrix) -> csr_matrix:
    """Scale rows to length 1, except empty ones."""
    length = np.sqrt(np.asarray(Z.multiply(Z).sum(1)).ravel())
    return diags(np.divide(1.0, length, out=np.zeros_like(length), where=length > 0)) @ Z

"""Design matrix of a linear model: encoded columns or text features, then a column of ones."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from credence.model import Labels
from credence.models.bayes import text_features
from credence.models.bayes.text_features import TextFeature
from credence.models.tabular.encoding import OneHotEncoder, TableEncoding, feature_columns
from credence.statistics.uncertainty import Array

INTERCEPT = "intercept"


@dataclass
class DesignMatrix:
    """Turns rows into a design matrix: by `encoding` for columns, by `phrases` for texts, where `encoding` is None."""

    encoding: TableEncoding | None = None
    phrases: list[TextFeature] = field(default_factory=list)

    def matrix(self, X: pd.DataFrame) -> Array:
        """Return the design matrix, shape (rows, columns + 1); the last column is ones."""
        if self.encoding is not None:
            return _with_ones(self.encoding.transform(feature_columns(X)))
        return _with_ones(text_features.feature_matrix(X["text"].tolist(), self.phrases))

    def names(self) -> list[str]:
        """Return unique names of the matrix columns for reports."""
        named = [p.name for p in self.phrases] if self.encoding is None else _names(self.encoding)
        return [*named, INTERCEPT]

    def stored(self) -> dict[str, Any]:
        """Return the fields as values that `credence.models.tabular.serialization` writes."""
        return {"encoding": self.encoding, "phrases": [list(p) for p in self.phrases]}

    @classmethod
    def restored(cls, stored: dict[str, Any]) -> "DesignMatrix":
        """Build a design matrix from what `stored` returned."""
        return cls(stored["encoding"], [TextFeature(*p) for p in stored["phrases"]])


def from_columns(X: pd.DataFrame, y: Labels, encoding: TableEncoding) -> tuple[DesignMatrix, Array]:
    """Fit an encoding to training rows; return the design matrix and its values, shape (rows, columns + 1)."""
    Z = encoding.fit_transform(feature_columns(X), y)
    return DesignMatrix(encoding), _with_ones(Z)


def from_texts(X: pd.DataFrame, y: Labels, words: int, keep: int, seed: int) -> tuple[DesignMatrix, Array]:
    """Select text features on training rows.

    Args:
        X: Inputs with the column `text`.
        y: Labels in {0, 1}, shape (rows,).
        words: Number of most frequent words that are candidates.
        keep: Most features.
        seed: Seed of the selection.

    Returns:
        The design matrix and its values, shape (rows, features + 1).
    """
    inputs = DesignMatrix(None, text_features.select_text_features(X["text"].tolist(), y, words, keep, seed))
    return inputs, inputs.matrix(X)


def _with_ones(Z: Array) -> Array:
    return np.hstack([Z, np.ones((len(Z), 1))])


def _names(encoding: TableEncoding) -> list[str]:
    """Name one-hot columns by category; number the columns of other inputs with several."""
    named: list[str] = []
    for name, encoder in encoding.encoders.items():
        width = encoding.origin.count(name)
        counted = [name, *(f"{name} ({place})" for place in range(2, width + 1))]
        named += (
            [f"{name} = {_spelled(word)}" for word in encoder.codes] if isinstance(encoder, OneHotEncoder) else counted
        )
    return named


def _spelled(word: str) -> str:
    return "missing" if word == "\0" else word

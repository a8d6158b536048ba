"""Rows as the matrix of a linear model: encoded columns or the phrases of a text, and a column of ones at the end."""

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
    """What has to be remembered to read a row: how columns are encoded, or, where that is None, which phrases count."""

    encoding: TableEncoding | None = None
    phrases: list[TextFeature] = field(default_factory=list)

    def matrix(self, X: pd.DataFrame) -> Array:
        """Shape (rows, columns + 1)."""
        if self.encoding is not None:
            return _with_ones(self.encoding.transform(feature_columns(X)))
        return _with_ones(text_features.feature_matrix(X["text"].tolist(), self.phrases))

    def names(self) -> list[str]:
        """The columns of the matrix as reports show them, each once."""
        named = [p.name for p in self.phrases] if self.encoding is None else _names(self.encoding)
        return [*named, INTERCEPT]

    def stored(self) -> dict[str, Any]:
        """Itself as plain values, for `tabular.weights`."""
        return {"encoding": self.encoding, "phrases": [list(p) for p in self.phrases]}

    @classmethod
    def restored(cls, stored: dict[str, Any]) -> "DesignMatrix":
        """What `stored` described."""
        return cls(stored["encoding"], [TextFeature(*p) for p in stored["phrases"]])


def from_columns(X: pd.DataFrame, y: Labels, encoding: TableEncoding) -> tuple[DesignMatrix, Array]:
    """How to read the columns of these training rows, and their matrix."""
    Z = encoding.fit_transform(feature_columns(X), y)
    return DesignMatrix(encoding), _with_ones(Z)


def from_texts(X: pd.DataFrame, y: Labels, words: int, keep: int, seed: int) -> tuple[DesignMatrix, Array]:
    """How to read texts, learned from these training rows, and their matrix."""
    inputs = DesignMatrix(None, text_features.select_text_features(X["text"].tolist(), y, words, keep, seed))
    return inputs, inputs.matrix(X)


def _with_ones(Z: Array) -> Array:
    return np.hstack([Z, np.ones((len(Z), 1))])


def _names(encoding: TableEncoding) -> list[str]:
    """Columns of categories by their category; where an input has several others, they are counted."""
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

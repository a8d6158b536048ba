"""Row encoder for tables: one token per column, and for dates one per part that varies."""

from collections import Counter
from collections.abc import Mapping
from itertools import accumulate
from typing import Self

import numpy as np
import pandas as pd
import torch
from pydantic import BaseModel, ConfigDict

from credence.models.neural.row_encoder import RowEncoder
from credence.models.tabular.encoding import Cells, DateEncoder, NumberEncoder, category_strings, feature_columns
from credence.models.training.padded_batch import Column
from credence.statistics.uncertainty import Array

LEVELS = np.linspace(0, 1, 33)
MAX_VALUE = 1e100  # larger numbers are clipped, so that squares do not overflow
QUANTITY_WIDTH = 3
MIN_WORD_ROWS = 2


class Quantity(BaseModel):
    """Standardizes a number: a numeric column, or a part of a date.

    Attributes:
        name: Input column.
        part: Number of the date part (`DateEncoder`); None for a number.
        mean: Training mean.
        sd: Training standard deviation, 1 if it is 0.
        knots: 33 training quantiles without duplicates.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: str
    part: int | None = None
    mean: float = 0.0
    sd: float = 1.0
    knots: tuple[float, ...] = (0.0,)

    @classmethod
    def learn(cls, name: str, part: int | None, numbers: Array) -> Self:
        """Fit to training numbers, shape (rows,), NaN if missing."""
        present = _tame(numbers[~np.isnan(numbers)])
        if not len(present):
            return cls(name=name, part=part)
        sd, knots = float(present.std()) or 1.0, tuple(np.unique(np.quantile(present, LEVELS)).tolist())
        return cls(name=name, part=part, mean=float(present.mean()), sd=sd, knots=knots)

    def features(self, numbers: Array) -> Array:
        """Return three features of numbers of shape (rows,).

        Returns:
            Shape (rows, 3): asinh of the standardized number, its quantile scaled to [-1, 1], and 1 if it is missing.
            A missing number has 0 for the first two.
        """
        missing = np.isnan(numbers)
        tamed = _tame(np.where(missing, self.mean, numbers))
        place = np.interp(tamed, self.knots, np.linspace(-1, 1, len(self.knots)))
        parts = [np.arcsinh((tamed - self.mean) / self.sd), np.where(missing, 0.0, place), missing.astype(np.float64)]
        return np.stack(parts, axis=1)


class Category(BaseModel):
    """Encodes a categorical column by the known categories `words`; missing is a category."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: str
    words: tuple[str, ...]

    @classmethod
    def learn(cls, name: str, values: Cells, most: int) -> Self:
        """Collect the `most` frequent categories of at least two training rows; others are unknown."""
        ranked = sorted((-n, word) for word, n in Counter(category_strings(values)).items() if n >= MIN_WORD_ROWS)
        return cls(name=name, words=tuple(word for _, word in ranked[:most]))

    def codes(self, values: Cells) -> list[int]:
        """Return the number of each category, from 1; 0 if unknown."""
        numbers = {word: number for number, word in enumerate(self.words, 1)}
        return [numbers.get(word, 0) for word in category_strings(values)]


class TableTokenizer(RowEncoder):
    """Encodes rows as the columns `quantities` and `categories`.

    `quantities` is float32 (rows, quantities, 3). `categories` is int64 (rows, categories); each column has its own
    range of codes.
    """

    quantities: tuple[Quantity, ...]
    categories: tuple[Category, ...]

    @classmethod
    def learn(cls, X: pd.DataFrame, most: int) -> Self:
        """Fit to training rows.

        Args:
            X: Inputs.
            most: Most categories per column.
        """
        quantities: list[Quantity] = []
        categories: list[Category] = []
        for name, values in feature_columns(X).items():
            if values.dtype.kind == "M":
                quantities += _calendar(name, values)
            elif values.dtype.kind in "fiub":
                quantities.append(Quantity.learn(name, None, values.astype(np.float64)))
            else:
                categories.append(Category.learn(name, values, most))
        return cls(quantities=tuple(quantities), categories=tuple(categories))

    @property
    def longest(self) -> int:
        """Number of tokens per row."""
        return len(self.quantities) + len(self.categories)

    @property
    def codes(self) -> int:
        """Number of codes of all categorical columns, including the unknown ones."""
        return sum(len(category.words) + 1 for category in self.categories)

    @property
    def unknown(self) -> list[int]:
        """Code of an unknown category, for each categorical column."""
        if not self.categories:
            return []
        return list(accumulate((len(category.words) + 1 for category in self.categories[:-1]), initial=0))

    def columns(self, X: pd.DataFrame) -> Mapping[str, Column]:
        """Return `quantities` and `categories` of rows."""
        table = feature_columns(X)
        numbers = [q.features(_numbers(table[q.name], q.part)) for q in self.quantities]
        codes = [
            np.array(c.codes(table[c.name])) + first for c, first in zip(self.categories, self.unknown, strict=True)
        ]
        quantities = np.stack(numbers, axis=1) if numbers else np.zeros((len(X), 0, QUANTITY_WIDTH))
        coded = np.stack(codes, axis=1) if codes else np.zeros((len(X), 0))
        return {
            "quantities": torch.as_tensor(quantities, dtype=torch.float32),
            "categories": torch.as_tensor(coded).long(),
        }


def _calendar(name: str, values: Cells) -> list[Quantity]:
    """Fit the parts of a date that vary among the training rows."""
    date = DateEncoder(raw=True)
    parts = date.fit_transform(values, np.zeros(len(values), np.int64))
    return [Quantity.learn(name, part, parts[:, i]) for i, part in enumerate(date.parts)]


def _numbers(values: Cells, part: int | None) -> Array:
    if part is None:
        return values.astype(np.float64)
    return DateEncoder(raw=True, parts=[part], numbers=[NumberEncoder(raw=True)]).transform(values)[:, 0]


def _tame(numbers: Array) -> Array:
    """Clip numbers so that their squares do not overflow."""
    return np.clip(numbers, -MAX_VALUE, MAX_VALUE)

"""Encoding of typed columns as a matrix of numbers, fitted to training rows only."""

from dataclasses import dataclass, field
from typing import Literal, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.preprocessing import TargetEncoder

from credence.model import Labels
from credence.statistics.cross_validation import stratified_folds
from credence.statistics.uncertainty import Array

Cells = NDArray[np.generic]
Table = dict[str, Cells]
Encode = Literal["auto", "onehot", "target"]
MAX_ONEHOT_LEVELS = 20
TARGET_FOLDS = 5
MIN_DISTINCT_FOR_KNOTS = 3
CLIP_QUANTILE = 0.005


class ColumnEncoder(Protocol):
    """Encodes one input column as one or more columns of the matrix."""

    def fit_transform(self, values: Cells, y: Labels) -> Array:
        """Fit to training cells, shape (rows,), and labels in {0, 1}; return shape (rows, width)."""

    def transform(self, values: Cells) -> Array:
        """Encode cells of shape (rows,); return shape (rows, width)."""


def feature_columns(X: pd.DataFrame) -> Table:
    """Return the input columns as arrays, without `group`, which only pooled kinds read."""
    return {str(c): X[c].to_numpy() for c in X.columns if c != "group"}


@dataclass
class NumberEncoder:
    """Encodes a number as itself, with the training median for missing values and a column that flags them.

    The flag exists only if a training value is missing. With knots, max(0, x - knot) columns form a linear spline, and
    x is clipped to the 0.5 % and 99.5 % quantiles.

    Attributes:
        raw: Leave missing values as NaN and add no flag, for estimators that split on them.
        knots: Number of spline knots, at quantiles of the training values.
        median: Training median.
        flagged: Whether the flag column exists.
        bends: Positions of the knots.
        reach: Lower and upper clip limit; empty without knots.
    """

    raw: bool = False
    knots: int = 0
    median: float = 0.0
    flagged: bool = False
    bends: list[float] = field(default_factory=list)
    reach: list[float] = field(default_factory=list)

    def fit_transform(self, values: Cells, y: Labels) -> Array:
        """Fit to training numbers, shape (rows,); return shape (rows, width)."""
        numbers = values.astype(np.float64)
        present = numbers[~np.isnan(numbers)]
        self.median = float(np.median(present)) if len(present) else 0.0
        self.flagged = not self.raw and 0 < len(present) < len(numbers)
        if self.knots and len(np.unique(present)) > self.knots + MIN_DISTINCT_FOR_KNOTS:
            self.bends = np.unique(np.quantile(present, np.linspace(0, 1, self.knots + 2)[1:-1])).tolist()
            self.reach = np.quantile(present, [CLIP_QUANTILE, 1 - CLIP_QUANTILE]).tolist()
        return self.transform(values)

    def transform(self, values: Cells) -> Array:
        """Encode numbers of shape (rows,), NaN if missing; return shape (rows, width)."""
        numbers = values.astype(np.float64)
        if self.raw:
            return numbers[:, None]
        missing = np.isnan(numbers)
        filled = np.where(missing, self.median, numbers)
        filled = np.clip(filled, self.reach[0], self.reach[1]) if self.reach else filled
        parts = [filled, *(np.maximum(filled - bend, 0.0) for bend in self.bends)]
        return np.stack([*parts, missing.astype(np.float64)] if self.flagged else parts, axis=1)


@dataclass
class DateEncoder:
    """Encodes a date as days since 1970, year, month, weekday and hour, as far as they vary among the training rows."""

    raw: bool = False
    parts: list[int] = field(default_factory=list)
    numbers: list[NumberEncoder] = field(default_factory=list)

    def fit_transform(self, values: Cells, y: Labels) -> Array:
        """Fit to training dates, shape (rows,); return shape (rows, width)."""
        found = _calendar_parts(values)
        varied = [i for i, part in enumerate(found) if len(np.unique(part[~np.isnan(part)])) > 1]
        self.parts = varied or [0]
        self.numbers = [NumberEncoder(self.raw) for _ in self.parts]
        return np.hstack([n.fit_transform(found[i], y) for i, n in zip(self.parts, self.numbers, strict=True)])

    def transform(self, values: Cells) -> Array:
        """Encode dates of shape (rows,); return shape (rows, width)."""
        found = _calendar_parts(values)
        return np.hstack([n.transform(found[i]) for i, n in zip(self.parts, self.numbers, strict=True)])


def _calendar_parts(values: Cells) -> list[Array]:
    dates = pd.DatetimeIndex(values)
    days = np.where(dates.isna(), np.nan, dates.as_unit("ns").asi8 / 86_400e9)
    return [days, *(np.asarray(part, np.float64) for part in (dates.year, dates.month, dates.weekday, dates.hour))]


@dataclass
class OneHotEncoder:
    """Encodes a category as one 0/1 column per training category. Missing is a category; a new category is all 0."""

    codes: dict[str, int] = field(default_factory=dict)

    def fit_transform(self, values: Cells, y: Labels) -> Array:
        """Fit to training categories, shape (rows,); return shape (rows, categories)."""
        self.codes = {word: i for i, word in enumerate(sorted(set(category_strings(values))))}
        return self.transform(values)

    def transform(self, values: Cells) -> Array:
        """Encode categories of shape (rows,); return shape (rows, categories)."""
        found = [self.codes.get(word, -1) for word in category_strings(values)]
        return np.asarray(np.asarray(found)[:, None] == np.arange(len(self.codes)), np.float64)


@dataclass
class MeanTargetEncoder:
    """Encodes a category as its share of yes, shrunk to the overall share (scikit-learn's TargetEncoder).

    Training rows get cross-fitted shares. A new category gets the overall share.
    """

    seed: int
    shares: dict[str, float] = field(default_factory=dict)
    overall: float = 0.0

    def fit_transform(self, values: Cells, y: Labels) -> Array:
        """Fit to training categories, shape (rows,); return their cross-fitted shares, shape (rows, 1)."""
        column = np.array(category_strings(values), dtype=object)[:, None]
        encoder = TargetEncoder(target_type="binary", cv=stratified_folds(y, TARGET_FOLDS, self.seed) or 2)
        fitted = encoder.fit_transform(column, y)
        self.shares = dict(zip(map(str, encoder.categories_[0]), map(float, encoder.encodings_[0]), strict=True))
        self.overall = float(encoder.target_mean_)
        return np.asarray(fitted, np.float64)

    def transform(self, values: Cells) -> Array:
        """Encode categories of shape (rows,); return shape (rows, 1)."""
        return np.array([self.shares.get(word, self.overall) for word in category_strings(values)], np.float64)[:, None]


def category_strings(values: Cells) -> list[str]:
    """Return categories as strings. A missing one is a NUL character, which no cell contains."""
    return [v if isinstance(v, str) else "\0" for v in values]


@dataclass
class TableEncoding:
    """Encodes all input columns as one matrix.

    Attributes:
        encode: Encoding of categories: `onehot`, `target` (the shrunk share of yes), or `auto`, which is `onehot` for
            up to 20 categories.
        scale: Whether to scale columns to mean 0 and standard deviation 1, except columns of zeros and ones.
        raw: Leave missing numbers as NaN.
        knots: Spline knots per number.
        seed: Seed of the cross-fitting folds.
        encoders: Input column -> its fitted encoder.
        origin: The input column of each matrix column.
        mean: Subtracted from each matrix column, shape (width,).
        sd: Divides each matrix column, shape (width,).
    """

    encode: Encode = "auto"
    scale: bool = True
    raw: bool = False
    knots: int = 0
    seed: int = 0
    encoders: dict[str, ColumnEncoder] = field(default_factory=dict)
    origin: list[str] = field(default_factory=list)
    mean: Array = field(default_factory=lambda: np.zeros(1))
    sd: Array = field(default_factory=lambda: np.ones(1))

    def fit_transform(self, table: Table, y: Labels) -> Array:
        """Fit to training rows and labels in {0, 1}; return their matrix, shape (rows, width).

        Shares of yes in the matrix are cross-fitted.
        """
        self.encoders = {name: self._encoder(values) for name, values in table.items()}
        parts = {name: encoder.fit_transform(table[name], y) for name, encoder in self.encoders.items()}
        self.origin = [name for name, part in parts.items() for _ in range(part.shape[1])]
        matrix = np.hstack(list(parts.values()))
        self.mean, self.sd = _moments(matrix) if self.scale else (np.zeros(matrix.shape[1]), np.ones(matrix.shape[1]))
        return self._scaled(matrix)

    def transform(self, table: Table) -> Array:
        """Encode rows; return shape (rows, width)."""
        return self._scaled(np.hstack([encoder.transform(table[name]) for name, encoder in self.encoders.items()]))

    def by_input(self, values: Array, kept: NDArray[np.intp]) -> pd.DataFrame:
        """Sum values of matrix columns per input column.

        Args:
            values: Shape (rows, len(kept)).
            kept: Numbers of the matrix columns.

        Returns:
            Frame of shape (rows, input columns).
        """
        belongs = np.array(self.origin)[kept][:, None] == np.array(list(self.encoders))
        return pd.DataFrame(values @ belongs.astype(np.float64), columns=list(self.encoders))

    def _scaled(self, matrix: Array) -> Array:
        return (matrix - self.mean) / self.sd

    def _encoder(self, values: Cells) -> ColumnEncoder:
        if values.dtype.kind == "M":
            return DateEncoder(self.raw)
        if values.dtype.kind in "fiub":
            return NumberEncoder(self.raw, self.knots)
        few = self.encode == "auto" and len(set(category_strings(values))) <= MAX_ONEHOT_LEVELS
        return OneHotEncoder() if few or self.encode == "onehot" else MeanTargetEncoder(self.seed)


def _moments(matrix: Array) -> tuple[Array, Array]:
    """Return mean and standard deviation per column, ignoring NaN; the deviation of a constant column is 1.

    Columns of zeros and ones get 0 and 1: divided by its deviation, a rare category would escape the penalty.
    """
    present = ~np.isnan(matrix)
    n = np.maximum(present.sum(0), 1)
    mean = np.where(present, matrix, 0.0).sum(0) / n
    sd = np.sqrt((np.where(present, matrix - mean, 0.0) ** 2).sum(0) / n)
    binary, constant = np.isin(matrix, (0.0, 1.0)).all(0), sd <= 1e-9 * np.maximum(np.abs(mean), 1e-9)
    return np.where(binary, 0.0, mean), np.where(binary | constant, 1.0, sd)

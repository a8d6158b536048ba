"""From typed columns to a matrix of numbers, learned on training rows only."""

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
    """One input column as one or more columns of the matrix."""

    def fit_transform(self, values: Cells, y: Labels) -> Array:
        """Learn from training cells, shape (rows,); their part of the matrix, shape (rows, width)."""

    def transform(self, values: Cells) -> Array:
        """The part of the matrix for any cells, shape (rows, width)."""


def feature_columns(X: pd.DataFrame) -> Table:
    """The input columns as arrays, without the group by which other kinds pool."""
    return {str(c): X[c].to_numpy() for c in X.columns if c != "group"}


@dataclass
class NumberEncoder:
    """The number, with the training median where it is missing, and whether it was missing if training saw that.

    `raw` leaves missing numbers as NaN, for learners that split on them. With `knots`, a linear learner can bend its
    line at so many quantiles of the training rows, and follows it no further than nearly all of them lie.
    """

    raw: bool = False
    knots: int = 0
    median: float = 0.0
    flagged: bool = False
    bends: list[float] = field(default_factory=list)
    reach: list[float] = field(default_factory=list)

    def fit_transform(self, values: Cells, y: Labels) -> Array:
        numbers = values.astype(np.float64)
        there = numbers[~np.isnan(numbers)]
        self.median = float(np.median(there)) if len(there) else 0.0
        self.flagged = not self.raw and 0 < len(there) < len(numbers)
        if self.knots and len(np.unique(there)) > self.knots + MIN_DISTINCT_FOR_KNOTS:
            self.bends = np.unique(np.quantile(there, np.linspace(0, 1, self.knots + 2)[1:-1])).tolist()
            self.reach = np.quantile(there, [CLIP_QUANTILE, 1 - CLIP_QUANTILE]).tolist()
        return self.transform(values)

    def transform(self, values: Cells) -> Array:
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
    """Days since 1970, year, month, weekday and hour: each a number, as far as it varies among the training rows."""

    raw: bool = False
    parts: list[int] = field(default_factory=list)
    numbers: list[NumberEncoder] = field(default_factory=list)

    def fit_transform(self, values: Cells, y: Labels) -> Array:
        found = _calendar_parts(values)
        varied = [i for i, part in enumerate(found) if len(np.unique(part[~np.isnan(part)])) > 1]
        self.parts = varied or [0]
        self.numbers = [NumberEncoder(self.raw) for _ in self.parts]
        return np.hstack([n.fit_transform(found[i], y) for i, n in zip(self.parts, self.numbers, strict=True)])

    def transform(self, values: Cells) -> Array:
        found = _calendar_parts(values)
        return np.hstack([n.transform(found[i]) for i, n in zip(self.parts, self.numbers, strict=True)])


def _calendar_parts(values: Cells) -> list[Array]:
    dates = pd.DatetimeIndex(values)
    days = np.where(dates.isna(), np.nan, dates.as_unit("ns").asi8 / 86_400e9)
    return [days, *(np.asarray(part, np.float64) for part in (dates.year, dates.month, dates.weekday, dates.hour))]


@dataclass
class OneHotEncoder:
    """One column per category that training saw, missing among them; a new category has none of them."""

    codes: dict[str, int] = field(default_factory=dict)

    def fit_transform(self, values: Cells, y: Labels) -> Array:
        self.codes = {word: i for i, word in enumerate(sorted(set(category_strings(values))))}
        return self.transform(values)

    def transform(self, values: Cells) -> Array:
        found = [self.codes.get(word, -1) for word in category_strings(values)]
        return np.asarray(np.asarray(found)[:, None] == np.arange(len(self.codes)), np.float64)


@dataclass
class MeanTargetEncoder:
    """The share of yes in the category, shrunk to the overall share; cross-fitted on the training rows (TargetEncoder).

    A new category gets the overall share.
    """

    seed: int
    shares: dict[str, float] = field(default_factory=dict)
    overall: float = 0.0

    def fit_transform(self, values: Cells, y: Labels) -> Array:
        column = np.array(category_strings(values), dtype=object)[:, None]
        encoder = TargetEncoder(target_type="binary", cv=stratified_folds(y, TARGET_FOLDS, self.seed) or 2)
        fitted = encoder.fit_transform(column, y)
        self.shares = dict(zip(map(str, encoder.categories_[0]), map(float, encoder.encodings_[0]), strict=True))
        self.overall = float(encoder.target_mean_)
        return np.asarray(fitted, np.float64)

    def transform(self, values: Cells) -> Array:
        return np.array([self.shares.get(word, self.overall) for word in category_strings(values)], np.float64)[:, None]


def category_strings(values: Cells) -> list[str]:
    """Categories as strings; a missing one is a category of its own that no cell can spell."""
    return [v if isinstance(v, str) else "\0" for v in values]


@dataclass
class TableEncoding:
    """All input columns as one matrix; scaled to mean 0 and standard deviation 1 where `scale` is set."""

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
        """Learn from training rows; their matrix, shape (rows, width), with target shares cross-fitted."""
        self.encoders = {name: self._encoder(values) for name, values in table.items()}
        parts = {name: encoder.fit_transform(table[name], y) for name, encoder in self.encoders.items()}
        self.origin = [name for name, part in parts.items() for _ in range(part.shape[1])]
        matrix = np.hstack(list(parts.values()))
        self.mean, self.sd = _moments(matrix) if self.scale else (np.zeros(matrix.shape[1]), np.ones(matrix.shape[1]))
        return self._scaled(matrix)

    def transform(self, table: Table) -> Array:
        """The matrix of any rows, shape (rows, width)."""
        return self._scaled(np.hstack([encoder.transform(table[name]) for name, encoder in self.encoders.items()]))

    def by_input(self, values: Array, kept: NDArray[np.intp]) -> pd.DataFrame:
        """Values of the columns `kept` of the matrix, added up per input column: shape (rows, inputs)."""
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
    """Mean and standard deviation per column over the cells that are there; 0 and 1 where nothing varies.

    Columns of zeros and ones stay as they are: divided by its deviation, a rare category would escape the penalty.
    """
    there = ~np.isnan(matrix)
    n = np.maximum(there.sum(0), 1)
    mean = np.where(there, matrix, 0.0).sum(0) / n
    sd = np.sqrt((np.where(there, matrix - mean, 0.0) ** 2).sum(0) / n)
    binary, constant = np.isin(matrix, (0.0, 1.0)).all(0), sd <= 1e-9 * np.maximum(np.abs(mean), 1e-9)
    return np.where(binary, 0.0, mean), np.where(binary | constant, 1.0, sd)

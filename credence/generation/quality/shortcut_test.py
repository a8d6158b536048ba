"""Can the words and digits of a text give its label away? A test of generated data for what a model must not learn."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from credence.core.registry import StrictModel
from credence.generation.arithmetic.normalization import NUMBER
from credence.models.kinds.tfidf import TfIdf
from credence.reporting.proportion import wilson_interval

MAX_ROWS = 3000
MIN_TEXTS = 10
MIN_CONFIDENCE = 3.0
# two of five properties, even and odd, are told by the last digit; the other three are not
PERMITTED_ACCURACY: Mapping[str, float] = {
    "math_verification": 0.5,
    "comparison": 0.5,
    "number_property": 0.7,
    "pattern": 0.5,
}


class OperandSummary(StrictModel):
    """How many texts of one label there are, and the numbers that they hold."""

    label: bool
    texts: int
    smallest: float | None
    median: float | None
    largest: float | None


class ShortcutResult(StrictModel):
    """How often a reader of words and pieces of words is right about texts it has not seen, with a 99.7 % interval."""

    category: str
    rows: int
    accuracy: float
    low: float
    high: float
    control: float
    permitted: float
    flagged: bool
    operands: tuple[OperandSummary, OperandSummary]


def find_shortcuts(
    questions: Sequence[str],
    answers: Sequence[bool],
    categories: Sequence[str],
    permitted: Mapping[str, float] = PERMITTED_ACCURACY,
    seed: int = 0,
) -> list[ShortcutResult]:
    """The test for every category that holds ten texts of both labels.

    As many texts of one label as of the other are read, so that chance is a half. A category is flagged where the
    accuracy is surely above what its rule permits and what shuffled labels reach. One that `permitted` does not name
    may be told by its words.
    """
    table = pd.DataFrame({"text": list(questions), "label": np.asarray(answers, dtype=int), "category": categories})
    groups = [(str(category), rows) for category, rows in table.groupby("category", sort=True)]
    return [_shortcut(c, rows, permitted.get(c, 1.0), seed) for c, rows in groups if _rarer(rows) >= MIN_TEXTS]


def _rarer(table: pd.DataFrame) -> int:
    """How many texts the rarer label has."""
    return int(min((table["label"] == label).sum() for label in (0, 1)))


def _shortcut(category: str, table: pd.DataFrame, permitted: float, seed: int) -> ShortcutResult:
    count = min(_rarer(table), MAX_ROWS // 2)
    sample = pd.concat([table[table["label"] == label].sample(count, random_state=seed) for label in (0, 1)])
    labels = sample["label"].to_numpy()
    right = _right(sample, labels, seed)
    shuffled = np.random.default_rng(seed).permutation(labels)
    control = _right(sample, shuffled, seed) / len(sample)
    low, high = wilson_interval(right, len(sample), MIN_CONFIDENCE)
    return ShortcutResult(
        category=category,
        rows=len(sample),
        accuracy=right / len(sample),
        low=low,
        high=high,
        control=control,
        permitted=permitted,
        flagged=low > max(permitted, control),
        operands=(_operands(table, False), _operands(table, True)),
    )


def _right(sample: pd.DataFrame, labels: NDArray[Any], seed: int) -> int:
    """How many of the texts are told rightly by a model of the other folds."""
    p = TfIdf(seed=seed).fit(sample[["text"]], labels).out_of_fold()
    return int(((p > 0.5) == labels).sum()) if p is not None else 0


def _operands(table: pd.DataFrame, label: bool) -> OperandSummary:
    texts = table.loc[table["label"] == int(label), "text"]
    numbers = [_value(n) for text in texts for n in NUMBER.findall(text)]
    if not numbers:
        return OperandSummary(label=label, texts=len(texts), smallest=None, median=None, largest=None)
    low, middle, high = (float(v) for v in np.quantile(numbers, (0, 0.5, 1)))
    return OperandSummary(label=label, texts=len(texts), smallest=low, median=middle, largest=high)


def _value(written: str) -> float:
    """A number as large as it is written: the part before a slash, without commas."""
    return float(written.split("/")[0].replace(",", "").split(".")[0])

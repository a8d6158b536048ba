"""Shortcut test: do the words and digits of generated texts predict their label?"""

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
# The last digit decides two of five properties (even, odd) and is uninformative for three: 0.4 + 0.6 / 2 = 0.7.
PERMITTED_ACCURACY: Mapping[str, float] = {
    "math_verification": 0.5,
    "comparison": 0.5,
    "number_property": 0.7,
    "pattern": 0.5,
}


class OperandSummary(StrictModel):
    """Number of texts of one label, and the size of the numbers in them."""

    label: bool
    texts: int
    smallest: float | None
    median: float | None
    largest: float | None


class ShortcutResult(StrictModel):
    """Result of the shortcut test in one category.

    Attributes:
        category: The category.
        rows: Texts used, half of each label.
        accuracy: Out-of-fold accuracy of a TF-IDF model, 0 to 1.
        low: Lower end of its 99.7 % Wilson interval.
        high: Upper end of its 99.7 % Wilson interval.
        control: Accuracy with shuffled labels.
        permitted: Accuracy that the category's rule permits; 1 for no rule.
        flagged: Whether `low` is above `permitted` and `control`.
        operands: Numbers in the texts labelled no and yes.
    """

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
    """Run the test in every category with at least 10 texts of both labels.

    Both labels are sampled equally (at most 3,000 texts), so that chance is 0.5. A category is flagged if its accuracy
    is significantly above what is permitted and above what shuffled labels reach.

    Args:
        questions: The texts.
        answers: Their labels.
        categories: Their categories.
        permitted: Permitted accuracy by category; one that is missing is never flagged.
        seed: Seed of sampling and shuffling.
    """
    table = pd.DataFrame({"text": list(questions), "label": np.asarray(answers, dtype=int), "category": categories})
    groups = [(str(category), rows) for category, rows in table.groupby("category", sort=True)]
    return [_shortcut(c, rows, permitted.get(c, 1.0), seed) for c, rows in groups if _minority_count(rows) >= MIN_TEXTS]


def _minority_count(table: pd.DataFrame) -> int:
    return int(min((table["label"] == label).sum() for label in (0, 1)))


def _shortcut(category: str, table: pd.DataFrame, permitted: float, seed: int) -> ShortcutResult:
    count = min(_minority_count(table), MAX_ROWS // 2)
    sample = pd.concat([table[table["label"] == label].sample(count, random_state=seed) for label in (0, 1)])
    labels = sample["label"].to_numpy()
    right = _correct_out_of_fold(sample, labels, seed)
    shuffled = np.random.default_rng(seed).permutation(labels)
    control = _correct_out_of_fold(sample, shuffled, seed) / len(sample)
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


def _correct_out_of_fold(sample: pd.DataFrame, labels: NDArray[Any], seed: int) -> int:
    p = TfIdf(seed=seed).fit(sample[["text"]], labels).out_of_fold()
    return int(((p > 0.5) == labels).sum()) if p is not None else 0


def _operands(table: pd.DataFrame, label: bool) -> OperandSummary:
    texts = table.loc[table["label"] == int(label), "text"]
    numbers = [_value(n) for text in texts for n in NUMBER.findall(text)]
    if not numbers:
        return OperandSummary(label=label, texts=len(texts), smallest=None, median=None, largest=None)
    low, middle, high = (float(v) for v in np.quantile(numbers, (0, 0.5, 1)))
    return OperandSummary(label=label, texts=len(texts), smallest=low, median=middle, largest=high)


def _value(number: str) -> float:
    """Return the integer part before a slash or a point, without commas."""
    return float(number.split("/")[0].replace(",", "").split(".")[0])

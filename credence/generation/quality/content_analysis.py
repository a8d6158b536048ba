"""Analyze the texts of a data set: duplicates, numbers, label leakage."""

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from credence.core.registry import StrictModel
from credence.generation.arithmetic import mask_numbers, normalize_statement
from credence.generation.arithmetic.normalization import NUMBER
from credence.generation.quality.shortcut_test import MIN_TEXTS, PERMITTED_ACCURACY, ShortcutResult, find_shortcuts
from credence.reporting.proportion import Proportion, proportion

LabelList = Mapping[str, Sequence[str]]


class DuplicateSummary(StrictModel):
    """Duplicate texts, after normalization.

    Attributes:
        duplicates: Rows that repeat another row of their category.
        elsewhere: Rows whose text also occurs in another category.
        near: Rows that equal another row once numbers are masked.
        forms: Number of different texts with numbers masked.
    """

    duplicates: Proportion
    elsewhere: Proportion
    near: Proportion
    forms: int


class NumberSummary(StrictModel):
    """Number of texts of one category and label, and number and size of the numbers in them."""

    category: str
    label: str
    texts: int
    numbers: int
    smallest: float | None
    median: float | None
    largest: float | None


class LabelLeakage(StrictModel):
    """Shortcut tests by category, and why other categories were not tested."""

    tested: list[ShortcutResult]
    untested: dict[str, str]

    def flagged(self) -> list[ShortcutResult]:
        """Return the categories whose words predict the label better than permitted."""
        return [s for s in self.tested if s.flagged]


def find_duplicates(rows: pd.DataFrame) -> DuplicateSummary:
    """Count duplicates in the texts themselves, independent of the ledger.

    Args:
        rows: The data set, with `category` and `question`.
    """
    texts = Counter(zip(rows["category"], map(normalize_statement, rows["question"]), strict=True))
    categories = Counter(text for _, text in texts)
    forms = Counter(map(mask_numbers, rows["question"]))
    return DuplicateSummary(
        duplicates=proportion(len(rows) - len(texts), len(rows)),
        elsewhere=proportion(sum(n for (_, text), n in texts.items() if categories[text] > 1), len(rows)),
        near=proportion(sum(n for n in forms.values() if n > 1), len(rows)),
        forms=len(forms),
    )


def summarize_numbers(rows: pd.DataFrame) -> list[NumberSummary]:
    """Summarize the numbers in the texts of every category and label.

    Args:
        rows: The data set, with `category`, `answer` and `question`.
    """
    parts = rows.groupby(["category", "answer"], sort=True)["question"]
    return [_numbers(str(category), str(label), part.tolist()) for (category, label), part in parts]


def _numbers(category: str, label: str, texts: list[str]) -> NumberSummary:
    numbers = [n for text in texts for n in NUMBER.findall(text)]
    sizes = [size for n in numbers if np.isfinite(size := _size(n))]
    low, middle, high = np.quantile(sizes, (0, 0.5, 1)).tolist() if sizes else (None, None, None)
    counts = {"texts": len(texts), "numbers": len(numbers)}
    return NumberSummary(category=category, label=label, **counts, smallest=low, median=middle, largest=high)


def _size(number: str) -> float:
    """Return the integer part before a slash or a point, without commas."""
    return float(number.split("/")[0].split(".")[0].replace(",", ""))


def measure_label_leakage(rows: pd.DataFrame, labels: LabelList, *, lexical: bool) -> LabelLeakage:
    """Run the shortcut test on every category that has two labels.

    Args:
        rows: The data set, with `category`, `answer` and `question`.
        labels: The labels of every category.
        lexical: Whether words may predict the label, as for everything except arithmetic.
    """
    tested: list[ShortcutResult] = []
    untested: dict[str, str] = {}
    for category in sorted(labels):
        permitted: Mapping[str, float] = {} if lexical else PERMITTED_ACCURACY
        found = _shortcut_or_reason(rows[rows["category"] == category], labels[category], permitted)
        if isinstance(found, ShortcutResult):
            tested.append(found)
        else:
            untested[category] = found
    return LabelLeakage(tested=tested, untested=untested)


def _shortcut_or_reason(
    rows: pd.DataFrame, labels: Sequence[str], permitted: Mapping[str, float]
) -> ShortcutResult | str:
    """Run the test, or return why it cannot be run."""
    if len(labels) != 2:
        return f"it has {len(labels)} labels, and the test is for two"
    try:
        found = find_shortcuts(
            rows["question"].tolist(), (rows["answer"] == max(labels)).tolist(), rows["category"].tolist(), permitted
        )
    except ValueError:
        return "no two of its texts have a word or a piece of one in common"
    return found[0] if found else f"it has fewer than {MIN_TEXTS} rows of a label"

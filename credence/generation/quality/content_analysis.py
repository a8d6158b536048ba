"""What the texts of a data set show: what is in it twice, what its numbers are, and what gives a label away."""

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
    """Rows whose text was there before: exactly and in its category, or also in another one; `forms` masks numbers.

    `near`: rows that share their form with another row.
    """

    duplicates: Proportion
    elsewhere: Proportion
    near: Proportion
    forms: int


class NumberSummary(StrictModel):
    """How many texts of one label there are, how many numbers they hold, and how large these are."""

    category: str
    label: str
    texts: int
    numbers: int
    smallest: float | None
    median: float | None
    largest: float | None


class LabelLeakage(StrictModel):
    """Categories whose labels a reader of words tried to tell, and why others were left out."""

    tested: list[ShortcutResult]
    untested: dict[str, str]

    def flagged(self) -> list[ShortcutResult]:
        """Those whose words tell more than they may."""
        return [s for s in self.tested if s.flagged]


def find_duplicates(rows: pd.DataFrame) -> DuplicateSummary:
    """Counted on the texts, whatever the ledger says of them."""
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
    """The numbers of every category and label that has rows."""
    parts = rows.groupby(["category", "answer"], sort=True)["question"]
    return [_numbers(str(category), str(label), part.tolist()) for (category, label), part in parts]


def _numbers(category: str, label: str, texts: list[str]) -> NumberSummary:
    written = [n for text in texts for n in NUMBER.findall(text)]
    sizes = [size for n in written if np.isfinite(size := _size(n))]
    low, middle, high = np.quantile(sizes, (0, 0.5, 1)).tolist() if sizes else (None, None, None)
    counted = {"texts": len(texts), "numbers": len(written)}
    return NumberSummary(category=category, label=label, **counted, smallest=low, median=middle, largest=high)


def _size(written: str) -> float:
    """A number as large as it is written: the whole part before a slash or a point, without commas."""
    return float(written.split("/")[0].split(".")[0].replace(",", ""))


def measure_label_leakage(rows: pd.DataFrame, labels: LabelList, *, lexical: bool) -> LabelLeakage:
    """Try every category that has two labels.

    Args:
        lexical: whether words may tell the label, as they may for all that is not arithmetic.
    """
    tested: list[ShortcutResult] = []
    untested: dict[str, str] = {}
    for category in sorted(labels):
        found = _tried(rows[rows["category"] == category], labels[category], {} if lexical else PERMITTED_ACCURACY)
        if isinstance(found, ShortcutResult):
            tested.append(found)
        else:
            untested[category] = found
    return LabelLeakage(tested=tested, untested=untested)


def _tried(rows: pd.DataFrame, labels: Sequence[str], permitted: Mapping[str, float]) -> ShortcutResult | str:
    """The test, or why there is none."""
    if len(labels) != 2:
        return f"it has {len(labels)} labels, and the test is for two"
    try:
        found = find_shortcuts(
            rows["question"].tolist(), (rows["answer"] == max(labels)).tolist(), rows["category"].tolist(), permitted
        )
    except ValueError:
        return "no two of its texts have a word or a piece of one in common"
    return found[0] if found else f"it has fewer than {MIN_TEXTS} rows of a label"

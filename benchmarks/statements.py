"""Rows of statements about numbers, from the offline provider's generator, dealt into fair parts."""

import re
from collections.abc import Callable, Iterator
from itertools import count, pairwise
from math import inf
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from credence.core.errors import InputError
from credence.data.rows import Columns, to_canonical_rows
from credence.generation.arithmetic import CATEGORIES, propose_statement

CALIBRATION, TEST = 1 / 8, 1 / 4
FARTHER, SPARE = 12, 2.4
ATTEMPTS, BARREN = 20, 2000
NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?")
COLUMNS = Columns(label="answer", positive="1", text="question", group="category")


class Parts(NamedTuple):
    """Rows to learn from, to calibrate on, and to be judged by."""

    train: pd.DataFrame
    calibration: pd.DataFrame
    test: pd.DataFrame

    def where(self, keep: Callable[[pd.DataFrame], pd.Series]) -> "Parts":
        """The same parts with the rows to be kept."""
        return Parts(*(part[keep(part)].reset_index(drop=True) for part in self))


def cell(seed: int, category: str, label: bool, largest: float = inf) -> Iterator[dict[str, Any]]:
    """Statements of one category and truth, no two alike; none has a number above the largest.

    Of small numbers there are only so many: a shape that is used up is passed over, and all end where all are.
    """
    seen: set[str] = set()
    last = 0
    for ordinal in count():
        if ordinal - last > BARREN:
            raise InputError(f"there are only {len(seen)} statements of {category} with numbers up to {largest:g}.")
        asked = (propose_statement(seed, category, label, ordinal, attempt).question for attempt in range(ATTEMPTS))
        question = next((q for q in asked if q not in seen and _largest(q) <= largest), None)
        if question:
            seen.add(question)
            last = ordinal
            yield {"question": question, "category": category, "answer": int(label)}


def _largest(text: str) -> float:
    return max(map(float, NUMBER.findall(text)))


def statements(seed: int, rows: int, largest: float = inf) -> pd.DataFrame:
    """As many of every category and truth, in random order, as canonical rows."""
    cells = [cell(seed, category, label, largest) for category in CATEGORIES for label in (True, False)]
    raw = pd.DataFrame([next(of) for _ in range(rows // len(cells)) for of in cells])
    return to_canonical_rows(raw, COLUMNS).sample(frac=1, random_state=seed).reset_index(drop=True)


def dealt(rows: pd.DataFrame, train: int) -> Parts:
    """Parts with the same share of every category and truth."""
    sizes = [train, round(train * CALIBRATION), round(train * TEST)]
    place = rows.groupby(["group", "label"]).cumcount() * len(CATEGORIES) * 2
    ends = np.cumsum([0, *sizes])
    pieces = [rows[(place >= low) & (place < high)] for low, high in pairwise(ends)]
    return Parts(*(piece.reset_index(drop=True) for piece in pieces))


def enough(train: int) -> int:
    """How many rows it takes to deal all parts where so many are learned from."""
    return round(train * (1 + CALIBRATION + TEST))


def by_size(seed: int, train: int) -> tuple[Parts, pd.DataFrame]:
    """Parts with the smaller half of the numbers of every form of statement, and rows with up to 12 times larger ones.

    A form is the text with all digits masked; its limit is the median over its statements of their largest number.
    """
    rows = statements(seed, round(enough(train) * SPARE))
    form = rows["text"].map(lambda text: re.sub("[0-9]+", "#", text))
    largest = rows["text"].map(_largest)
    times = largest / largest.groupby(form).transform("median")
    far = rows[(times > 1) & (times <= FARTHER)].reset_index(drop=True)
    return dealt(rows[times <= 1], train), far.head(round(train * TEST))

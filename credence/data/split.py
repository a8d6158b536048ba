"""Assign rows to train, calibration and test parts; a row keeps its part when the data grows."""

from typing import Literal

import numpy as np
import pandas as pd
from pydantic import Field

from credence.core.errors import InputError
from credence.core.hashing import stable_hash
from credence.data.rows import SplitColumns

Part = Literal["train", "calibration", "test"]
PARTS: tuple[Part, ...] = ("train", "calibration", "test")
PART_ALIASES = {
    "train": "train",
    "training": "train",
    "test": "test",
    "testing": "test",
    "calibration": "calibration",
    "validation": "calibration",
    "valid": "calibration",
    "val": "calibration",
    "dev": "calibration",
}


class Split(SplitColumns):
    """The YAML section `split`: the shares of test and calibration rows, and what decides them.

    By default a hash of the row decides. With `key`, a hash of that column: rows with equal keys stay together.
    With `column`, the data's own split; with `time`, the newest rows are the test part. Another `salt` gives
    another split, once a test part is used up.
    """

    test: float = Field(0.2, gt=0, lt=1, description="share of the rows that test")
    calibration: float = Field(0.2, gt=0, lt=1, description="share of the rows that calibrate")
    salt: str = Field("", description="any text; another one assigns new parts")

    def split_columns(self) -> SplitColumns:
        """Return the columns that decide the split."""
        return SplitColumns(key=self.key, column=self.column, time=self.time)


def assign_parts(rows: pd.DataFrame, split: Split) -> pd.Series:
    """Return the part of every row: train, calibration or test.

    Args:
        rows: Canonical rows.
        split: The shares and what decides them.

    Raises:
        InputError: A part is empty or has one answer only, or the shares leave nothing to train on.
    """
    if split.test + split.calibration >= 1:
        raise InputError(
            f"split.test {split.test} and split.calibration {split.calibration} leave nothing to train on."
        )
    if split.column:
        part = _by_column(rows, split)
    elif split.time:
        part = _by_time(rows, split)
    else:
        part = _by_hash(rows["key"], split)
    _refuse_one_sided(rows["label"], part)
    return part


def hash_to_unit_interval(keys: pd.Series, salt: str = "") -> pd.Series:
    """Map every key to [0, 1) by its hash, uniformly and independently of other keys."""
    return keys.map(lambda k: int(stable_hash(f"{salt}{k}"), 16) / 2**64)


def _by_hash(keys: pd.Series, split: Split) -> pd.Series:
    u = hash_to_unit_interval(keys, split.salt)
    return _named([u < split.test, u < split.test + split.calibration], keys.index)


def _by_column(rows: pd.DataFrame, split: Split) -> pd.Series:
    part = rows["origin"].str.lower().map(PART_ALIASES)
    if part.isna().any():
        unknown = rows["origin"][part.isna()].iloc[0]
        raise InputError(
            f"split.column {split.column!r} holds {unknown!r}; expected train, test or calibration (validation)."
        )
    if (part == "calibration").any():
        return part
    carved = hash_to_unit_interval(rows["key"], split.salt) < split.calibration / (1 - split.test)
    return part.mask((part == "train") & carved, "calibration")


def _by_time(rows: pd.DataFrame, split: Split) -> pd.Series:
    """Take the newest rows for test and those before them for calibration; rows of equal time stay together."""
    if gaps := int(rows["when"].isna().sum()):
        raise InputError(
            f"split.time {split.time!r} is empty in {gaps} of {len(rows)} rows; fill it in, or split by something else."
        )
    age = 1 - rows["when"].rank(method="min", pct=False).sub(1) / len(rows)
    return _named([age <= split.test, age <= split.test + split.calibration], rows.index)


def _named(conditions: list[pd.Series], index: pd.Index) -> pd.Series:
    part = np.select([c.to_numpy() for c in conditions], ["test", "calibration"], "train")
    return pd.Series(part, index=index, name="part")


def _refuse_one_sided(label: pd.Series, part: pd.Series) -> None:
    for name in PARTS:
        yes, n = int(label[part == name].sum()), int((part == name).sum())
        if n == 0 or yes in (0, n):
            problem = "is empty" if n == 0 else f"has {n} rows, all of them {'yes' if yes else 'no'}"
            raise InputError(
                f"the {name} part {problem} (of {len(label)} rows, {int(label.sum())} yes); "
                "it needs both answers: bring more rows, or change split.test, split.calibration or split.salt."
            )


def stratified_calibration_rows(rows: pd.DataFrame, share: float) -> pd.Series:
    """Choose the calibration rows if there is no test part: the rows of each class whose keys have the lowest hashes.

    Rows with equal keys stay together, except for the last key chosen in each class.

    Args:
        rows: Canonical rows.
        share: Share of the rows of each class, between 0 and 1; at least one row.

    Returns:
        Whether a row is for calibration.

    Raises:
        InputError: A class has only one row, or `share` is out of range.
    """
    if not 0 < share < 1:
        raise InputError(f"calibration is {share}; expected a share between 0 and 1.")
    place, held = hash_to_unit_interval(rows["key"]), pd.Series(False, index=rows.index)
    for _, places in place.groupby(rows["label"]):
        if len(places) < 2:
            raise InputError("one class has 1 row only; a classifier needs one to learn from and one to calibrate on.")
        count = min(max(1, round(share * len(places))), len(places) - 1)
        held[places.sort_values(kind="stable").index[:count]] = True
    return held

"""A window of the log as the predictor's inputs, with its effective number of independent rows."""

import json
from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from credence.core.errors import InputError, did_you_mean
from credence.data.rows import original_name
from credence.data.schema import Schema
from credence.data.seen_rows import content_hashes
from credence.predictor import Predictor, PredictorInfo
from credence.statistics.metrics import Bools

MIN_DISTINCT_SHARE = 0.5
MIN_FREQUENCY_RATIO = 2


@dataclass(frozen=True)
class DuplicateModel:
    """When equal rows are copies and when they repeat naturally, judged by the reference rows.

    Attributes:
        natural: Contents that may repeat; None if all may.
        likely: Frequency of pairs of equal rows above which they are called copies.
    """

    natural: NDArray[np.uint64] | None
    likely: float

    @classmethod
    def of(cls, reference: NDArray[np.uint64]) -> Self:
        """Learn from content hashes of the reference rows.

        All contents may repeat if most reference rows have a twin; else only those that repeat there.
        """
        content, times = np.unique(reference, return_counts=True)
        twins = (times == 1).sum() < MIN_DISTINCT_SHARE * len(reference)
        pairs, of = (times * (times - 1)).sum() / 2 + 1, max(len(reference) * (len(reference) - 1) / 2, 1)
        return cls(None if twins else content[times > 1], MIN_FREQUENCY_RATIO * pairs / of)

    def copies(self, keys: NDArray[np.uint64]) -> Bools:
        """Mark the rows that are copies of an earlier row."""
        again = pd.Series(keys).duplicated().to_numpy()
        return again & self._suspect(keys, _collisions(pd.Series(keys)))

    def copied(self, keys: NDArray[np.uint64], earlier: NDArray[np.uint64]) -> Bools:
        """Mark the rows that are copies of `earlier` rows, which are all distinct."""
        known = np.isin(keys, earlier)
        return known & self._suspect(keys, float(known.mean()) / max(len(earlier), 1))

    def _suspect(self, keys: NDArray[np.uint64], rate: float) -> Bools:
        if self.natural is None or rate <= self.likely:
            return np.zeros(len(keys), bool)
        return ~np.isin(keys, self.natural)


@dataclass(frozen=True)
class Window:
    """Records of one version in order of time, with their typed inputs.

    Attributes:
        records: The records.
        inputs: Their inputs.
        schema: The columns that can be compared.
        keys: Content hash of each row.
        repetition: When equal rows are copies.
        copies: Marks rows that repeat an earlier one and are no new evidence.
        effective: Number of independent rows with the same information as the distinct rows.
        versions: Records by version in the whole window.
    """

    records: pd.DataFrame
    inputs: pd.DataFrame
    schema: Schema
    keys: NDArray[np.uint64]
    repetition: DuplicateModel
    copies: Bools
    effective: int
    versions: dict[str, int]

    @classmethod
    def of(cls, predictor: Predictor, records: pd.DataFrame) -> Self:
        """Read the records that this predictor answered.

        Raises:
            InputError: The window holds no record of this predictor, or an input column is missing.
        """
        own, versions = _of_version(predictor.info, records)
        schema = watchable(predictor.info)
        inputs = _inputs(own, schema, predictor.info.version)
        keys = content_hashes(inputs, schema) if schema.columns else np.arange(len(own), dtype=np.uint64)
        reference = schema.select(predictor.reference)
        repetition = DuplicateModel.of(content_hashes(reference, schema) if schema.columns else keys)
        copies = repetition.copies(keys)
        effective = _effective(inputs[~copies], reference, schema)
        return cls(own, inputs, schema, keys, repetition, copies, effective, versions)

    @property
    def distinct(self) -> pd.DataFrame:
        """The inputs without copies."""
        return self.inputs[~self.copies]


def watchable(info: PredictorInfo) -> Schema:
    """The schema without columns that are logged only as hashes."""
    kept = [c for c in info.schema_.columns if not info.log.hashes(original_name(c.name))]
    group = info.schema_.group
    return Schema(columns=kept, group=None if group is None or info.log.hashes(group) else group)


def _of_version(info: PredictorInfo, records: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, int]]:
    if records.empty:
        raise InputError(
            f"the log of {info.task!r} holds no answer in the window; send some requests, or widen monitoring.window."
        )
    versions = {str(v): int(n) for v, n in records["version"].value_counts().items()}
    own = records[records["version"] == info.version].drop_duplicates(["request_id", "row"])
    if own.empty:
        given = ", ".join(f"{v} ({n} rows)" for v, n in versions.items())
        raise InputError(
            f"no answer in the window is by version {info.version}: it holds {given}; "
            "monitor that version, or wait until this one has answered."
        )
    return own.sort_values(["time", "request_id", "row"], kind="stable").reset_index(drop=True), versions


def _inputs(own: pd.DataFrame, schema: Schema, version: str) -> pd.DataFrame:
    """The logged inputs, typed as in training."""
    table = pd.DataFrame([json.loads(i) for i in own["inputs"]]).rename(
        columns={original_name(n): n for n in schema.names()}
    )
    for name in schema.names():
        if name not in table:
            known = map(original_name, map(str, table.columns))
            raise InputError(
                f"the log of version {version} has no input {original_name(name)!r}, which this predictor reads; "
                f"it was written by another one. {did_you_mean(original_name(name), known)}"
            )
    texts = {c.name: table[c.name].fillna("").astype(str) for c in schema.columns if c.kind == "text"}
    return schema.select(table.assign(**texts, group=own["group"].to_numpy()))


def _effective(now: pd.DataFrame, reference: pd.DataFrame, schema: Schema) -> int:
    """Effective sample size n / (1 + (n - 1) c).

    c is the excess probability, over the reference, that two rows share a value: the median over columns whose values
    hardly repeat in the reference. It detects rows derived from few originals by changing some columns.
    """
    found = []
    for column in schema.columns:
        before = reference[column.name].dropna()
        if column.kind != "category" and len(before) > 1 and before.nunique() >= MIN_DISTINCT_SHARE * len(before):
            found.append(max(0.0, _collisions(now[column.name].dropna()) - _collisions(before)))
    n = len(now)
    return max(1, round(n / (1 + (n - 1) * float(np.quantile(found, 0.5, method="lower"))))) if found else n


def _collisions(values: pd.Series) -> float:
    """Probability that two rows, drawn without replacement, have the same value."""
    n, counts = len(values), values.value_counts().to_numpy()
    return float((counts * (counts - 1)).sum() / (n * (n - 1))) if n > 1 else 0.0

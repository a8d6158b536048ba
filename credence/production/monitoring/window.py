"""A window of the log as the predictor's inputs, and how many independent rows it amounts to."""

import json
from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from credence.core.errors import InputError, did_you_mean
from credence.data.rows import original_name
from credence.data.schema import Schema
from credence.predictor import Predictor, PredictorInfo, content_hashes
from credence.statistics.metrics import Bools

MIN_DISTINCT_SHARE = 0.5
MIN_FREQUENCY_RATIO = 2


@dataclass(frozen=True)
class DuplicateModel:
    """What the reference says of rows that come again: contents that may (`natural`), and how common pairs of equal
    rows may be before they are called copies."""

    natural: NDArray[np.uint64] | None
    likely: float

    @classmethod
    def of(cls, reference: NDArray[np.uint64]) -> Self:
        """All may come again where most of the reference rows have a twin, else the contents that stand there twice."""
        content, times = np.unique(reference, return_counts=True)
        twins = (times == 1).sum() < MIN_DISTINCT_SHARE * len(reference)
        pairs, of = (times * (times - 1)).sum() / 2 + 1, max(len(reference) * (len(reference) - 1) / 2, 1)
        return cls(None if twins else content[times > 1], MIN_FREQUENCY_RATIO * pairs / of)

    def copies(self, keys: NDArray[np.uint64]) -> Bools:
        """Which rows are copies of one before them."""
        again = pd.Series(keys).duplicated().to_numpy()
        return again & self._suspect(keys, _collisions(pd.Series(keys)))

    def copied(self, keys: NDArray[np.uint64], earlier: NDArray[np.uint64]) -> Bools:
        """Which rows are copies of `earlier` ones, none of which stands there twice."""
        known = np.isin(keys, earlier)
        return known & self._suspect(keys, float(known.mean()) / max(len(earlier), 1))

    def _suspect(self, keys: NDArray[np.uint64], rate: float) -> Bools:
        if self.natural is None or rate <= self.likely:
            return np.zeros(len(keys), bool)
        return ~np.isin(keys, self.natural)


@dataclass(frozen=True)
class Window:
    """Records of one version in the order of time, with their typed inputs.

    `copies` marks rows that repeat an earlier one and are no evidence; `effective` is as many independent rows as tell
    the same as the others.
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
        """Read the records that this predictor answered. Raises BadInput where there is none, or a column lacks."""
        own, versions = _of_version(predictor.facts, records)
        schema = watchable(predictor.facts)
        inputs = _inputs(own, schema, predictor.facts.version)
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


def watchable(facts: PredictorInfo) -> Schema:
    """The schema without the columns that the log keeps as hashes only."""
    kept = [c for c in facts.schema_.columns if not facts.log.hashes(original_name(c.name))]
    group = facts.schema_.group
    return Schema(columns=kept, group=None if group is None or facts.log.hashes(group) else group)


def _of_version(facts: PredictorInfo, records: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, int]]:
    if records.empty:
        raise InputError(
            f"the log of {facts.task!r} holds no answer in the window; serve some requests, or widen monitoring.window."
        )
    versions = {str(v): int(n) for v, n in records["version"].value_counts().items()}
    own = records[records["version"] == facts.version].drop_duplicates(["request_id", "row"])
    if own.empty:
        given = ", ".join(f"{v} ({n} rows)" for v, n in versions.items())
        raise InputError(
            f"no answer in the window is by version {facts.version}: it holds {given}; "
            "monitor that version, or wait until this one has answered."
        )
    return own.sort_values(["time", "request_id", "row"], kind="stable").reset_index(drop=True), versions


def _inputs(own: pd.DataFrame, schema: Schema, version: str) -> pd.DataFrame:
    """The logged inputs, typed as training saw them."""
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
    """As many independent rows as tell the same: n / (1 + (n - 1) * c), with c the chance that two rows share a value
    beyond what the reference shows, the median over the columns whose values hardly repeat there.

    This finds rows that were drawn from few and then changed in some columns, so that none is the copy of another.
    """
    found = []
    for column in schema.columns:
        before = reference[column.name].dropna()
        if column.kind != "category" and len(before) > 1 and before.nunique() >= MIN_DISTINCT_SHARE * len(before):
            found.append(max(0.0, _collisions(now[column.name].dropna()) - _collisions(before)))
    n = len(now)
    return max(1, round(n / (1 + (n - 1) * float(np.quantile(found, 0.5, method="lower"))))) if found else n


def _collisions(values: pd.Series) -> float:
    """The chance that two rows, drawn without replacement, have the same value."""
    n, counts = len(values), values.value_counts().to_numpy()
    return float((counts * (counts - 1)).sum() / (n * (n - 1))) if n > 1 else 0.0

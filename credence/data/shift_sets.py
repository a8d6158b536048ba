"""Named sets of rows from elsewhere: an evaluation shows what a predictor notices and what it is worth there."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import numpy as np
import pandas as pd
from pydantic import Field

from credence.core.errors import BadInput, did_you_mean
from credence.core.hashing import plain
from credence.core.registry import SourceSpec, Strict
from credence.data.rows import EVERYONE, NOBODY, Columns, Helpers, fingerprints, inputs, raw_name
from credence.data.schema import kind_of, typed

SET = "origin"
SetName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_]*$", max_length=60)]


class Shift(Strict):
    """One set: where its rows come from. They have the columns of the task; a label is welcome and not needed."""

    source: SourceSpec

    def build(self, name: str) -> Any:
        """The source of the set of that name. BadInput names the set."""
        with named(name):
            return self.source.build()

    def read(self, name: str) -> pd.DataFrame:
        """The raw table of the set of that name. BadInput names the set."""
        with named(name):
            raw: pd.DataFrame = self.source.build().read()
            return raw


@contextmanager
def named(name: str) -> Iterator[None]:
    """Put the set's name before what is said of it."""
    try:
        yield
    except BadInput as error:
        raise BadInput(f"shift.{name}: {error}") from None


def shifted(name: str, raw: pd.DataFrame, columns: Columns, helpers: Helpers, like: pd.DataFrame) -> pd.DataFrame:
    """The set's raw table as rows: origin, row_id, group, key, label (NaN where unknown), and the inputs of `like`.

    Raises BadInput, which names the set, where a column is missing or holds values of another type.
    """
    with named(name):
        if raw.empty:
            raise BadInput("the data has a header but no rows.")
        given = pd.DataFrame(_inputs(raw, columns, like))
        group = _words(raw[columns.group]) if columns.group in raw else EVERYONE
        row_id = fingerprints(given)
        key = _words(raw[helpers.key]) if helpers.key in raw else row_id
        about = {SET: name, "row_id": row_id, "group": group, "key": key, "label": _labels(raw, columns)}
        return pd.concat([pd.DataFrame(about, index=raw.index), given], axis=1).reset_index(drop=True)


def _inputs(raw: pd.DataFrame, columns: Columns, like: pd.DataFrame) -> dict[str, pd.Series]:
    return {str(name): _input(raw, str(name), columns, like[name]) for name in inputs(like) if name != "group"}


def _input(raw: pd.DataFrame, name: str, columns: Columns, like: pd.Series) -> pd.Series:
    kind = kind_of(name, like)
    wanted = columns.text if kind == "text" and columns.text else raw_name(name)
    if wanted not in raw:
        raise BadInput(f"column {wanted!r} is missing. {did_you_mean(wanted, map(str, raw.columns))}")
    values = raw[wanted]
    return values.map(lambda t: "" if pd.isna(t) else str(t)) if kind == "text" else typed(values, kind)


def _words(values: pd.Series) -> pd.Series:
    return values.map(plain).astype(object).where(values.notna(), NOBODY)


def _labels(raw: pd.DataFrame, columns: Columns) -> Any:
    """1 for yes, 0 for no, NaN where a row does not say, or says neither."""
    if columns.label not in raw:
        return np.nan
    values = raw[columns.label]
    words = values.map(plain).where(values.notna() & (values.astype(str).str.strip() != ""))
    yes = words.isin(_spelled(columns.positive))
    known = words.notna() if columns.negative is None else yes | words.isin(_spelled(columns.negative))
    return yes.astype(float).where(known)


def _spelled(values: Any) -> set[str]:
    return {plain(v) for v in (values if isinstance(values, (list, tuple, set)) else [values])}

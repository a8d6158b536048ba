"""Rows stored by another pipeline of this project."""

import pandas as pd
from pydantic import Field

from credence.core.errors import InputError
from credence.data.sources import Source


class Artifact(Source):
    """The name and version (by default the newest) of stored rows.

    This package does not import ZenML; the first step of the pipeline loads the rows.
    """

    name: str = Field(min_length=1)
    version: str | None = None

    def read(self) -> pd.DataFrame:
        """Raise an `InputError`: stored rows can be read only inside a pipeline."""
        raise InputError(
            f"the stored rows {self.name!r} are read only inside a pipeline; run the training pipeline on this task, "
            "or name the file that the rows were written to with source.kind=jsonl or parquet."
        )

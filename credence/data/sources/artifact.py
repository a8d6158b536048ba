"""Rows that another pipeline of this project has stored, by name."""

import pandas as pd
from pydantic import Field

from credence.core.errors import InputError
from credence.data.sources import Source


class Artifact(Source):
    """Only a name: this package knows no artifact store, so the pipeline's first step fetches these rows itself."""

    name: str = Field(min_length=1)
    version: str | None = None

    def read(self) -> pd.DataFrame:
        raise InputError(
            f"the stored rows {self.name!r} are read only inside a pipeline; run the training pipeline on this task, "
            "or name the file that the rows were written to with source.kind=jsonl or parquet."
        )

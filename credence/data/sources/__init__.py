"""Where rows come from. One file per kind; each reads a raw pandas table."""

import pandas as pd

from credence.core.registry import StrictModel


class Source(StrictModel):
    """A place that holds a table."""

    def read(self) -> pd.DataFrame:
        """The whole raw table, columns as the source names them. Raises BadInput where it cannot be read."""
        raise NotImplementedError

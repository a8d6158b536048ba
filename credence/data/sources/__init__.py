"""Sources of rows: one module per kind, each of which reads a raw pandas table."""

import pandas as pd

from credence.core.registry import StrictModel


class Source(StrictModel):
    """Base class of sources."""

    def read(self) -> pd.DataFrame:
        """Read the whole raw table, with the source's column names.

        Raises:
            InputError: The table cannot be read.
        """
        raise NotImplementedError

"""Where rows come from. One file per kind; each reads a raw pandas table."""

import hashlib

import pandas as pd

from credence.kinds import Strict


class Source(Strict):
    """A place that holds a table."""

    def read(self) -> pd.DataFrame:
        """The whole raw table, columns as the source names them. Raises BadInput where it cannot be read."""
        raise NotImplementedError

    def fingerprint(self) -> str:
        """Changes whenever the data does, so that a cached run notices."""
        table = self.read()
        h = hashlib.sha256("\x1f".join(map(str, table.columns)).encode())
        h.update(pd.util.hash_pandas_object(table.astype(str), index=False).to_numpy().tobytes())
        return h.hexdigest()

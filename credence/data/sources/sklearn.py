"""Toy data sets of scikit-learn."""

from typing import Literal

import pandas as pd
from sklearn import datasets

from credence.data.sources import Source


class Sklearn(Source):
    """A data set that is installed with scikit-learn; its label column is `target`."""

    name: Literal["breast_cancer", "iris", "wine", "digits"]

    def read(self) -> pd.DataFrame:
        """Read the table."""
        frame: pd.DataFrame = getattr(datasets, f"load_{self.name}")(as_frame=True).frame
        return frame

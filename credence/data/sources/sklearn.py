"""A table that ships with scikit-learn."""

from typing import Literal

import pandas as pd
from sklearn import datasets

from credence.data.sources import Source


class Sklearn(Source):
    name: Literal["breast_cancer", "iris", "wine", "digits"]

    def read(self) -> pd.DataFrame:
        frame: pd.DataFrame = getattr(datasets, f"load_{self.name}")(as_frame=True).frame
        return frame

"""What the transformer remembers of its training rows: how to read them, and how many they were."""

from collections.abc import Mapping

import pandas as pd

from credence.neural.reader import Reader
from credence.training.encoded import Column
from credence.transformer.pretrained import Pretrained
from credence.transformer.tables import Tables
from credence.transformer.texts import Texts


class Inputs(Reader):
    """One of three readers, and the number of training rows, by which the divergence of the last layer is shared."""

    rows: int
    reader: Texts | Tables | Pretrained

    def columns(self, X: pd.DataFrame) -> Mapping[str, Column]:
        return self.reader.columns(X)

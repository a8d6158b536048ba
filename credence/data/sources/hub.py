"""Data sets of the Hugging Face Hub, or in a local folder that its loader supports."""

import pandas as pd
from datasets import ClassLabel, Dataset, load_dataset
from datasets.exceptions import DatasetsError
from pydantic import Field

from credence.core.errors import InputError, did_you_mean, first_line
from credence.data.sources import Source
from credence.data.sources._files import flatten_columns


class Hub(Source):
    """A data set, with class names instead of numbers and an additional column `split`.

    By default the default config, all splits and the newest revision.
    """

    name: str = Field(min_length=1)
    config: str | None = None
    split: str | list[str] | None = None
    revision: str | None = None

    def read(self) -> pd.DataFrame:
        """Download (or take from the cache) and read the data set.

        Raises:
            InputError: The data set cannot be read, or has no such split.
        """
        found = self._load()
        wanted = [self.split] if isinstance(self.split, str) else self.split or list(found)
        for name in wanted:
            if name not in found:
                raise InputError(f"{self.name} has no split {name!r}. {did_you_mean(name, found)}")
        return pd.concat([_table(found[name], name) for name in wanted], ignore_index=True)

    def _load(self) -> dict[str, Dataset]:
        try:
            return dict(load_dataset(self.name, self.config, revision=self.revision))
        except (OSError, ValueError, DatasetsError) as error:
            raise InputError(
                f"data set {self.name!r} was not read from the Hugging Face Hub ({first_line(error)}); check the name "
                "and the network, set HF_TOKEN where it is private, or download it and use source.kind=parquet."
            ) from None


def _table(data: Dataset, split: str) -> pd.DataFrame:
    table = data.to_pandas()
    for name, feature in data.features.items():
        if isinstance(feature, ClassLabel):
            table[name] = [None if number < 0 else feature.names[number] for number in table[name]]
    return flatten_columns(table.assign(split=split))

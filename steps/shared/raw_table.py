"""The raw table behind a source, wherever it lies."""

import pandas as pd
from zenml.client import Client

from credence.core.errors import InputError
from credence.core.registry import SourceSpec


def read_raw_table(source: SourceSpec) -> pd.DataFrame:
    """The raw table; rows that another pipeline stored are fetched here, since credence knows no artifact store."""
    place = source.build()
    if source.kind != "artifact":
        read: pd.DataFrame = place.read()
        return read
    try:
        stored: pd.DataFrame = Client().get_artifact_version(place.name, place.version).load()
    except KeyError:
        raise InputError(f"source.name: no pipeline has stored rows as {place.name!r} yet.") from None
    return stored

"""Read the raw table of a source, also one stored by another pipeline."""

import pandas as pd
from zenml.client import Client

from credence.core.errors import InputError
from credence.core.registry import SourceSpec


def read_raw_table(source: SourceSpec) -> pd.DataFrame:
    """Read a source; stored artifacts are loaded here, because credence does not import ZenML.

    Raises:
        InputError: The source cannot be read, or no pipeline has stored such rows.
    """
    place = source.build()
    if source.kind != "artifact":
        read: pd.DataFrame = place.read()
        return read
    try:
        stored: pd.DataFrame = Client().get_artifact_version(place.name, place.version).load()
    except KeyError:
        raise InputError(f"source.name: no pipeline has stored rows as {place.name!r} yet.") from None
    return stored

"""Read the source and put it into the one table shape."""

from typing import Annotated

import pandas as pd
from zenml import step
from zenml.client import Client

from credence.errors import BadInput
from credence.kinds import SourceSpec
from credence.rows import Columns, Helpers, canonical, sample
from materializers.rows import RowsMaterializer
from steps import record


@step(enable_cache=False, output_materializers=RowsMaterializer)  # only reading tells whether the data changed
def load_rows(
    source: SourceSpec, columns: Columns, helpers: Helpers, sample_size: int | None
) -> Annotated[pd.DataFrame, "rows"]:
    """The rows of a task. What follows is cached as long as their content stays the same."""
    rows = sample(canonical(table(source), columns, helpers), sample_size)
    record.facts({"rows": len(rows), "share_yes": float(rows["label"].mean())})
    record.say(f"{len(rows):,} rows, {rows['label'].mean():.1%} yes")
    return rows


def table(source: SourceSpec) -> pd.DataFrame:
    """The raw table; rows that another pipeline stored are fetched here, since credence knows no artifact store."""
    place = source.build()
    if source.kind != "artifact":
        read: pd.DataFrame = place.read()
        return read
    try:
        stored: pd.DataFrame = Client().get_artifact_version(place.name, place.version).load()
    except KeyError:
        raise BadInput(f"source.name: no pipeline has stored rows as {place.name!r} yet.") from None
    return stored

"""Read the source and convert it to canonical rows."""

from typing import Annotated

import pandas as pd
from zenml import step

from credence.core.registry import SourceSpec
from credence.data.rows import Columns, SplitColumns, canonical_sample
from materializers.rows import RowsMaterializer
from steps.shared import tracking
from steps.shared.raw_table import read_raw_table


@step(enable_cache=False, output_materializers=RowsMaterializer)  # the data may have changed
def load_rows(
    source: SourceSpec, columns: Columns, helpers: SplitColumns, sample_size: int | None
) -> Annotated[pd.DataFrame, "rows"]:
    """Load the rows of a task. Later steps are cached while their content is unchanged."""
    rows = canonical_sample(read_raw_table(source), columns, helpers, sample_size)
    tracking.log_run_metadata({"rows": len(rows), "share_yes": float(rows["label"].mean())})
    tracking.log_line(f"{len(rows):,} rows, {rows['label'].mean():.1%} yes")
    return rows

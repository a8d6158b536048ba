"""Split the rows into training, calibration and test rows."""

from typing import Annotated

import pandas as pd
from zenml import step

from credence.data.split import PARTS, Split, assign_parts
from materializers.rows import RowsMaterializer
from steps.shared import tracking


# One materializer for each output: with a single one ZenML loses the outputs' order, and so the cache.
@step(output_materializers=dict.fromkeys(PARTS, RowsMaterializer))
def split_rows(
    rows: pd.DataFrame, split: Split
) -> tuple[Annotated[pd.DataFrame, "train"], Annotated[pd.DataFrame, "calibration"], Annotated[pd.DataFrame, "test"]]:
    """Return the three parts. A row's part depends on the row and the split settings only."""
    part = assign_parts(rows, split)
    train, calibration, test = (rows[part == name].reset_index(drop=True) for name in PARTS)
    tracking.log_run_metadata({"train": len(train), "calibration": len(calibration), "test": len(test)})
    return train, calibration, test

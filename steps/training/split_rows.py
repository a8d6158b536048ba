"""Deal the rows into the part that trains, the part that calibrates and the part that judges."""

from typing import Annotated

import pandas as pd
from zenml import step

from credence.data.split import PARTS, Split, assign_parts
from materializers.rows import RowsMaterializer
from steps.shared import tracking


@step(
    output_materializers=dict.fromkeys(PARTS, RowsMaterializer)
)  # not one for all: ZenML then forgets their order, and so the cache
def split_rows(
    rows: pd.DataFrame, split: Split
) -> tuple[Annotated[pd.DataFrame, "train"], Annotated[pd.DataFrame, "calibration"], Annotated[pd.DataFrame, "test"]]:
    """The three parts; a row's part never changes while the split stays the same."""
    part = assign_parts(rows, split)
    train, calibration, test = (rows[part == name].reset_index(drop=True) for name in PARTS)
    tracking.log_run_metadata({"train": len(train), "calibration": len(calibration), "test": len(test)})
    return train, calibration, test

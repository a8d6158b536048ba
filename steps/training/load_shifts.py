"""Read the shift sets: rows from other sources, on which the challenger is measured too."""

from typing import Annotated

import pandas as pd
from zenml import step

from credence.data.rows import Columns, SplitColumns, sample_rows
from credence.data.shift_sets import SetName, ShiftSet, prefix_errors, to_shift_rows
from credence.reporting.number_format import plural
from materializers.rows import RowsMaterializer
from steps.shared import tracking
from steps.shared.raw_table import read_raw_table


@step(enable_cache=False, output_materializers=RowsMaterializer)  # the data may have changed
def load_shifts(
    shift: dict[SetName, ShiftSet], columns: Columns, helpers: SplitColumns, rows: pd.DataFrame, sample_size: int | None
) -> Annotated[pd.DataFrame, "shifts"]:
    """Load all shift sets as one table with the set's name in each row; inputs are the columns of `rows`."""
    parts = [to_shift_rows(name, _read(name, s), columns, helpers, rows) for name, s in shift.items()]
    parts = [sample_rows(part, sample_size) for part in parts]
    tracking.log_run_metadata({name: len(part) for name, part in zip(shift, parts, strict=True)})
    for name, part in zip(shift, parts, strict=True):
        tracking.log_line(f"{name}: {plural(len(part), 'row')} from elsewhere")
    return pd.concat(parts, ignore_index=True)


def _read(name: str, shift: ShiftSet) -> pd.DataFrame:
    with prefix_errors(name):
        return read_raw_table(shift.source)

"""Add logged rows with known true labels to the rows of the source."""

from typing import Annotated

import pandas as pd
from zenml import step

from credence.core.paths import log_folder
from credence.data.feedback_rows import feedback_as_rows
from credence.data.prediction_log.reader import join_feedback, read_feedback, read_predictions
from credence.data.rows import Columns
from credence.data.split import Split
from materializers.rows import RowsMaterializer
from steps.shared import tracking


@step(enable_cache=False, output_materializers=RowsMaterializer)  # the log may have grown
def add_feedback(
    rows: pd.DataFrame, task: str, answers: tuple[str, str], columns: Columns, split: Split
) -> Annotated[pd.DataFrame, "rows"]:
    """Return the rows of the source, followed by labelled rows of the log that are not among them."""
    folder = log_folder(task)
    known = join_feedback(read_predictions(folder).frame, read_feedback(folder).frame, answers)
    new = feedback_as_rows(known.frame[known.frame["delivered"]], rows, columns, split)
    tracking.log_run_metadata({"labelled": known.labelled, "new_rows": len(new)})
    tracking.log_line(f"{len(new):,} rows of the log are new, of {known.labelled:,} whose answer is known")
    return pd.concat([rows, new], ignore_index=True) if len(new) else rows

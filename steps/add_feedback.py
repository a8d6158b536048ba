"""Put the answers whose truth came back beside the rows of the source."""

from typing import Annotated

import pandas as pd
from zenml import step

from credence.home import log_folder
from credence.predictions.labelled import labelled_rows
from credence.predictions.reading import joined, read_feedback, read_predictions
from credence.rows import Columns
from credence.split import Split
from materializers.rows import RowsMaterializer
from steps import record


@step(enable_cache=False, output_materializers=RowsMaterializer)  # only reading tells whether the log grew
def add_feedback(
    rows: pd.DataFrame, task: str, answers: tuple[str, str], columns: Columns, split: Split
) -> Annotated[pd.DataFrame, "rows"]:
    """The rows of the source and, after them, those of the log that are not among them."""
    folder = log_folder(task)
    known = joined(read_predictions(folder).frame, read_feedback(folder).frame, answers)
    new = labelled_rows(known.frame[known.frame["delivered"]], rows, columns, split)
    record.facts({"labelled": known.labelled, "new_rows": len(new)})
    record.say(f"{len(new):,} rows of the log are new, of {known.labelled:,} whose answer is known")
    return pd.concat([rows, new], ignore_index=True) if len(new) else rows

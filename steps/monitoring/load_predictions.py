"""Load a window of the prediction log, with true labels from feedback."""

from datetime import UTC, datetime
from typing import Annotated, Any

import pandas as pd
from zenml import step

from credence.core.errors import InputError
from credence.core.paths import log_folder
from credence.core.time_format import parse_timestamp
from credence.data.prediction_log.reader import Joined, Reading, join_feedback, read_feedback, read_predictions
from credence.production.monitoring import Monitoring
from materializers.rows import RowsMaterializer
from steps.shared import tracking


@step(enable_cache=False, output_materializers={"window": RowsMaterializer})  # the log may have grown
def load_predictions(
    task: str, answers: tuple[str, str], section: Monitoring, since: str | None, until: str | None
) -> tuple[Annotated[pd.DataFrame, "window"], Annotated[dict[str, Any], "reading"]]:
    """Return the answers sent to callers with their `truth`, and counts of records dropped, unreadable or unmatched.

    Raises:
        InputError: The task has no log yet.
    """
    folder, last = log_folder(task), parse_timestamp(until) or datetime.now(UTC)
    if not (folder / "predictions").is_dir():
        raise InputError(f"there is no log of {task!r} in {folder}; serve it with make serve, and ask it something.")
    first = parse_timestamp(since) or section.since(last)
    answered = read_predictions(folder, first, last)
    feedback = read_feedback(folder, first)
    known = join_feedback(answered.frame, feedback.frame, answers)
    given = known.frame[known.frame["delivered"]]
    window = section.newest(given) if since is None else given
    found = _reading(known, answered, feedback)
    tracking.log_run_metadata({"answers": len(window), **found})
    tracking.log_line(
        f"{len(window):,} answers in the window, the truth of {int(window['truth'].notna().sum()):,} is known"
    )
    return window.reset_index(drop=True), found


def _reading(known: Joined, answered: Reading, feedback: Reading) -> dict[str, Any]:
    counts = ("unknown", "repeated", "contradictory", "ambiguous", "foreign")
    skipped = [f"{s.file}: {s.count} lines, {s.why}" for s in [*answered.skipped, *feedback.skipped]]
    return {"dropped": answered.dropped, "skipped": skipped, "feedback": {c: getattr(known, c) for c in counts}}

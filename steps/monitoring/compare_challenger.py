"""Compare champion and challenger on the traffic that both have answered."""

import html
from typing import Annotated

from zenml import step
from zenml.types import HTMLString

from credence.core.errors import InputError
from credence.core.paths import log_folder
from credence.data.prediction_log.reader import join_feedback, read_feedback, read_predictions
from credence.data.prediction_log.schema import PREDICTION
from credence.production.ab_test import compare_on_traffic, pair_answers
from credence.production.ab_test.html_page import ab_test_page
from credence.production.ab_test.paired_answers import TAKEN
from steps.shared import tracking

COLUMNS = [name for name in TAKEN if name in PREDICTION.names]


@step(enable_cache=False)  # only reading tells what was logged
def compare_challenger(
    task: str, answers: tuple[str, str]
) -> tuple[Annotated[str, "recommendation"], Annotated[HTMLString, "trial"]]:
    """Recommend what to do about the challenger, with an HTML page; empty if no challenger is served."""
    folder = log_folder(task)
    log = read_predictions(folder, columns=COLUMNS).frame
    if not (log["role"] == "challenger").any():
        return "", HTMLString("<p>No challenger is on trial.</p>")
    try:
        pairs = pair_answers(join_feedback(log, read_feedback(folder).frame, answers).frame)
    except InputError as nothing_yet:
        return str(nothing_yet), HTMLString(f"<p>{html.escape(str(nothing_yet))}</p>")
    trial = compare_on_traffic(pairs)
    drawn = ab_test_page(trial, pairs)
    tracking.log_text(drawn, "trial.html")
    tracking.log_run_metadata({"recommendation": trial.recommendation, "pairs": trial.rows, "labelled": trial.labelled})
    return " ".join(filter(None, [trial.sentence, trial.command and f"Next: {trial.command}"])), HTMLString(drawn)

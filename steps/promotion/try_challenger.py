"""Start or stop serving a version beside the champion on real traffic."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

from zenml import step

from steps.shared import audit_log, tracking
from steps.shared.bento_process import run_bentos
from steps.shared.model_versions import download_predictor, get_version
from steps.shared.promotion_transaction import ensure_signed


@step(enable_cache=False)  # talks to running services
def try_challenger(task: str, challenger: str, share: float | None, reason: str) -> Annotated[str, "outcome"]:
    """Start or stop an A/B test; returns the outcome in one sentence.

    Args:
        task: The task's name.
        challenger: A version's number, or "none" to stop.
        share: Share of requests that the challenger answers (0 to 1); None means copies of all requests.
        reason: Why; kept in the audit table.
    """
    if challenger == "none":
        run_bentos("unchallenge", task)
        return f"no challenger answers beside the champion of {task} any more"
    version = get_version(task, challenger)
    with TemporaryDirectory() as place:
        folder = download_predictor(version, Path(place))
        tracking.log_line(f"{task}:{version.number} is {ensure_signed(version, folder)}")
        mode = ["--mode", "shadow"] if share is None else ["--mode", "split", "--share", str(share)]
        run_bentos("challenge", str(folder), *mode)
    audit_log.append_promotion(version, audit_log.record_promotion(version, None, "trial", reason))
    what = "a copy of every request" if share is None else f"{share:.0%} of the requests"
    outcome = f"{task}:{version.number} answers {what} beside the champion; --pipeline monitoring compares them"
    tracking.log_line(outcome)
    return outcome

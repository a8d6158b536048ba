"""Let a version answer real traffic beside the champion, or end that."""

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
    """What happened, in one sentence. Without `share` the challenger answers copies only."""
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

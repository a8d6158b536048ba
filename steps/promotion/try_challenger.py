"""Let a version answer real traffic beside the champion, or end that."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

from zenml import step

from steps.shared import audit_log, tracking
from steps.shared.bento_process import bentos
from steps.shared.model_versions import folder_of, numbered
from steps.shared.promotion_transaction import vouched


@step(enable_cache=False)  # talks to running services
def try_challenger(task: str, challenger: str, share: float | None, reason: str) -> Annotated[str, "outcome"]:
    """What happened, in one sentence. Without `share` the challenger answers copies only."""
    if challenger == "none":
        bentos("unchallenge", task)
        return f"no challenger answers beside the champion of {task} any more"
    version = numbered(task, challenger)
    with TemporaryDirectory() as place:
        folder = folder_of(version, Path(place))
        tracking.say(f"{task}:{version.number} is {vouched(version, folder)}")
        mode = ["--mode", "shadow"] if share is None else ["--mode", "split", "--share", str(share)]
        bentos("challenge", str(folder), *mode)
    audit_log.add(version, audit_log.promotion(version, None, "trial", reason))
    what = "a copy of every request" if share is None else f"{share:.0%} of the requests"
    outcome = f"{task}:{version.number} answers {what} beside the champion; --pipeline monitoring compares them"
    tracking.say(outcome)
    return outcome

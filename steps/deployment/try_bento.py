"""Serve the bento, send it test rows over HTTP, and fail unless its answers match the evaluation."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

from zenml import step

from steps.shared import tracking
from steps.shared.bento_process import run_bentos
from steps.shared.model_versions import champion_version, download_predictor

ROWS = 50


class AnswersDiffer(RuntimeError):
    """The service's answers differ from the predictor's."""


@step(enable_cache=False)  # the server must be tried now
def try_bento(task: str, bento: str) -> Annotated[str, "tried"]:
    """Compare answers over HTTP with the predictor's on 50 test rows; returns a summary with one example.

    Raises:
        AnswersDiffer: An answer differs, or the champion is gone.
    """
    version = champion_version(task)
    if version is None:
        raise AnswersDiffer(f"{bento} was built from a champion that is gone.")
    with TemporaryDirectory() as place:
        folder, rows = download_predictor(version, Path(place)), Path(place) / "rows.parquet"
        version.get_artifact("test").load().head(ROWS).to_parquet(rows)
        found = run_bentos("try", bento, str(folder), str(rows))
    if not found["agrees"]:
        raise AnswersDiffer(f"{bento} answers differently over HTTP: " + "; ".join(found["mismatches"]))
    tracking.log_run_metadata({"rows": found["rows"], "largest_difference": found["largest_difference"]})
    return report_differences(bento, found)


def report_differences(bento: str, found: dict[str, object]) -> str:
    """Format the comparison, with one example request and its answer."""
    return (
        f"{bento} gave the same answers over HTTP as in evaluation: {found['rows']} test rows, one by one and "
        f"as a batch, largest difference {found['largest_difference']:.0e}.\n"
        f"POST /predict {shorten(found['request'])}\n  -> {json.dumps(found['answer'], ensure_ascii=False)}"
    )


def shorten(request: object) -> str:
    """Format a request as JSON, cut to 200 characters."""
    text = json.dumps(request, ensure_ascii=False)
    return text if len(text) <= 200 else f"{text[:200]} …"

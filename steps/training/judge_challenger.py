"""Compare challenger and champion on the same test rows, and count this use of the test set."""

from typing import Annotated

import pandas as pd
from zenml import get_step_context, step
from zenml.client import Client

import materializers.folder  # noqa: F401  registers how predictors are stored
from credence.data.checks import Findings
from credence.evaluation.gate import Gate, Verdict
from credence.evaluation.gate.compare import compare_predictors
from credence.evaluation.gate.verdict import TestSetUsage
from credence.predictor import Predictor
from steps.shared import tracking
from steps.shared.model_versions import champion_version, load_predictor


@step(enable_cache=False)  # reads the registry, which no cache key covers
def judge_challenger(
    challenger: Predictor, test: pd.DataFrame, gate: Gate, findings: Findings
) -> tuple[Annotated[Verdict, "verdict"], Annotated[TestSetUsage, "looks"], Annotated[Predictor, "predictor"]]:
    """Apply the gate.

    Returns:
        The verdict, the usage of the test set so far, and the challenger with the number of this model version.
    """
    model, current = get_step_context().model, champion_version(get_step_context().model.name)
    champion = None if current is None else load_predictor(current)
    verdict, looks = compare_predictors(challenger, champion, test, gate, earlier_looks(model.name), findings)
    tracking.log_run_metadata({"verdict": verdict.outcome, "reason": verdict.reason}, to_model=True)
    return verdict, looks, challenger.with_version(f"{model.name}:{model.number}")


def earlier_looks(name: str) -> TestSetUsage:
    """Load the test set's usage from the newest judged version; empty for a model never judged."""
    for version in Client().list_model_versions(model=name, sort_by="desc:number", size=100, hydrate=True):
        artifact = version.get_artifact("looks")
        if artifact is not None:
            looks: TestSetUsage = artifact.load()
            return looks
    return TestSetUsage()

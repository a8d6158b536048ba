"""Apply the verdict, and keep ZenML's and MLflow's registries in agreement."""

from typing import Annotated

from zenml import get_step_context, step
from zenml.client import Client

from credence.evaluation.gate import Verdict
from steps.shared import tracking
from steps.shared.promotion_transaction import promote_transaction
from steps.shared.registry import sync_mlflow_alias


@step(enable_cache=False)  # changes the registry
def promote_challenger(verdict: Verdict) -> Annotated[str, "outcome"]:
    """Promote the challenger if the verdict says so; returns the outcome in one sentence."""
    model = get_step_context().model
    if verdict.outcome != "promote":
        sync_mlflow_alias(model.name)
        return f"{verdict.outcome}: {verdict.reason}"
    tracking.log_line(promote_transaction(Client().get_model_version(model.name, model.number), "gate", verdict.reason))
    return f"promote: {verdict.reason}"

"""Carry out the verdict, and see to it that both registries name the same champion."""

from typing import Annotated

from zenml import get_step_context, step
from zenml.client import Client

from credence.gate import Verdict
from credence.predictor import Predictor
from steps import record
from steps.registry import align, promote


@step(enable_cache=False)  # changes the registry
def promote_challenger(verdict: Verdict, predictor: Predictor) -> Annotated[str, "outcome"]:
    """What happened, in one sentence."""
    model = get_step_context().model
    if verdict.outcome != "promote":
        align(model.name)
        return f"{verdict.outcome}: {verdict.reason}"
    version = Client().get_model_version(model.name, model.number)
    replaces = promote(version, predictor, verdict.reason)
    record.say(f"{predictor.facts.version} is the champion" + (f" in place of version {replaces}" if replaces else ""))
    return f"promote: {verdict.reason}"

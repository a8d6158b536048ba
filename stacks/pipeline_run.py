"""Run a pipeline and turn an interruption into KeyboardInterrupt."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from zenml.exceptions import RunInterruptedException, RunStoppedException
from zenml.integrations.registry import integration_registry
from zenml.utils import env_utils


def run_pipeline(pipeline: Any, **parameters: Any) -> Any:
    """Run a pipeline and return its run.

    Raises:
        KeyboardInterrupt: It was interrupted; ZenML raises its own exceptions for that.
    """
    try:
        with keep_placeholders(), skip_integration_imports():
            return pipeline(**parameters)
    except (RunInterruptedException, RunStoppedException):
        raise KeyboardInterrupt from None


@contextmanager
def keep_placeholders() -> Iterator[None]:
    """Store parameters unchanged inside the block: ZenML would store the value of ${PASSWORD} in clear text."""
    before = env_utils.substitute_env_variable_placeholders
    env_utils.substitute_env_variable_placeholders = lambda value, raise_when_missing=True: value
    try:
        yield
    finally:
        env_utils.substitute_env_variable_placeholders = before


@contextmanager
def skip_integration_imports() -> Iterator[None]:
    """Keep ZenML from importing every library it has a materializer for inside the block.

    These imports (torch, BentoML and others) take a quarter of a short run. They are not needed: our artifacts name
    their materializers, and a stack imports the components it has.
    """
    before = integration_registry.activate_integrations
    integration_registry.activate_integrations = lambda: None  # type: ignore[method-assign]
    try:
        yield
    finally:
        integration_registry.activate_integrations = before  # type: ignore[method-assign]

"""A pipeline from its start to its end, also where somebody stops it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from zenml.exceptions import RunInterruptedException, RunStoppedException
from zenml.integrations.registry import integration_registry
from zenml.utils import env_utils


def run_pipeline(pipeline: Any, **parameters: Any) -> Any:
    """The pipeline's run. ZenML turns Ctrl-C into an exception of its own; here it is Ctrl-C again."""
    try:
        with keep_placeholders(), skip_integration_imports():
            return pipeline(**parameters)
    except (RunInterruptedException, RunStoppedException):
        raise KeyboardInterrupt from None


@contextmanager
def keep_placeholders() -> Iterator[None]:
    """Parameters reach the store as they are: ZenML would put the value of ${PASSWORD} there, readable to everybody."""
    before = env_utils.substitute_env_variable_placeholders
    env_utils.substitute_env_variable_placeholders = lambda value, raise_when_missing=True: value
    try:
        yield
    finally:
        env_utils.substitute_env_variable_placeholders = before


@contextmanager
def skip_integration_imports() -> Iterator[None]:
    """ZenML would import every library that it has a materializer for, torch and BentoML among them: a quarter of a
    short run. Our artifacts name their materializers, and components are imported when a stack has them.
    """
    before = integration_registry.activate_integrations
    integration_registry.activate_integrations = lambda: None  # type: ignore[method-assign]
    try:
        yield
    finally:
        integration_registry.activate_integrations = before  # type: ignore[method-assign]

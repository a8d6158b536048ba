"""A pipeline from its start to its end, also where somebody stops it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from zenml.exceptions import RunInterruptedException, RunStoppedException
from zenml.utils import env_utils


def run_to_its_end(pipeline: Any, **parameters: Any) -> Any:
    """The pipeline's run. ZenML turns Ctrl-C into an exception of its own; here it is Ctrl-C again."""
    try:
        with placeholders_kept():
            return pipeline(**parameters)
    except (RunInterruptedException, RunStoppedException):
        raise KeyboardInterrupt from None


@contextmanager
def placeholders_kept() -> Iterator[None]:
    """Parameters reach the store as they are: ZenML would put the value of ${PASSWORD} there, readable to everybody."""
    before = env_utils.substitute_env_variable_placeholders
    env_utils.substitute_env_variable_placeholders = lambda value, raise_when_missing=True: value
    try:
        yield
    finally:
        env_utils.substitute_env_variable_placeholders = before

"""A pipeline from its start to its end, also where somebody stops it."""

from typing import Any

from zenml.exceptions import RunInterruptedException, RunStoppedException


def run_to_its_end(pipeline: Any, **parameters: Any) -> Any:
    """The pipeline's run. ZenML turns Ctrl-C into an exception of its own; here it is Ctrl-C again."""
    try:
        return pipeline(**parameters)
    except (RunInterruptedException, RunStoppedException):
        raise KeyboardInterrupt from None

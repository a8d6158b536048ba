"""Start ZenML, put a pipeline on the chosen stack, and print progress."""

from argparse import Namespace
from typing import Any

from credence.core.errors import InputError
from credence.core.log import log


def init_zenml() -> None:
    """Print a line before ZenML's slow import, and make sure that its store is complete."""
    from stacks.store_init import ensure_store

    log("starting ZenML …")
    ensure_store()


def on_stack(pipeline: Any, name: str, args: Namespace, **options: Any) -> Any:
    """Activate the stack of --stack and return the pipeline with its settings.

    Raises:
        InputError: The stack cannot be used.
    """
    from stacks.activate import StackNotReady, activate_stack

    try:
        stack = activate_stack(args.stack)
    except StackNotReady as error:
        raise InputError(str(error)) from None
    return pipeline.with_options(
        tags=[name],
        enable_cache=False if args.no_cache else None,
        **options,
        **stack,
    )

"""Start ZenML, put a pipeline on the chosen stack, and print progress."""

import sys
from argparse import Namespace
from typing import Any

from credence.core.errors import BadInput


def say(text: str) -> None:
    """A line for the person who waits; results go to standard output, this does not."""
    print(text, file=sys.stderr, flush=True)


def start_zenml() -> None:
    """Say something before the seconds that importing it takes, and see that its store is whole."""
    from stacks.store_init import see_to_store

    say("starting ZenML …")
    see_to_store()


def configured(pipeline: Any, name: str, args: Namespace, **options: Any) -> Any:
    """The pipeline on the chosen stack."""
    from stacks.activate import Unfinished, use

    try:
        stack = use(args.stack)
    except Unfinished as error:
        raise BadInput(str(error)) from None
    return pipeline.with_options(
        tags=[name],
        enable_cache=False if args.no_cache else None,
        **options,
        **stack,
    )

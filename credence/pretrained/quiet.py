"""The libraries of the hub say nothing on the screen while we work with them; what goes wrong is raised."""

from collections.abc import Iterator
from contextlib import contextmanager
from logging import CRITICAL

from huggingface_hub.utils import logging as hub
from transformers.utils import logging


@contextmanager
def quiet() -> Iterator[None]:
    """No bars, notes and warnings of theirs inside; outside as it was set."""
    hub_level, level, bars = hub.get_verbosity(), logging.get_verbosity(), logging.is_progress_bar_enabled()
    hub.set_verbosity(CRITICAL)
    logging.set_verbosity(CRITICAL)
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        hub.set_verbosity(hub_level)
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()  # type: ignore[no-untyped-call]

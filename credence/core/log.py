"""Progress and errors on standard error: lines of text, or with CREDENCE_LOG_FORMAT=json one JSON object a line.

`logging` takes milliseconds to import, so that is left to the first line: help has none.
"""

import os

FORMAT_VARIABLE = "CREDENCE_LOG_FORMAT"


def is_json() -> bool:
    """Whether lines are JSON objects. The environment says it, so that processes that we start do the same."""
    return os.environ.get(FORMAT_VARIABLE) == "json"


def log(text: str) -> None:
    """Write a line for the person who waits; results go to standard output, this does not."""
    from credence.core.log_format import logger

    logger().info("%s", text)


def log_error(sentence: str, error: BaseException | None = None) -> None:
    """Write why a command ends. With `error`, its traceback is part of the JSON object."""
    from credence.core.log_format import logger

    logger().error("%s", sentence, exc_info=error)

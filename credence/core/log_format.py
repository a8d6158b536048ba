"""The formatters and the handler behind credence.core.log."""

import json
import logging
import sys
from datetime import UTC, datetime
from functools import cache
from typing import Any

from credence.core.log import is_json


class JsonFormatter(logging.Formatter):
    """A record as one JSON object: time (UTC), level, message, and the traceback under `exception`."""

    def format(self, record: logging.LogRecord) -> str:
        """The record on one line."""
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        fields: dict[str, Any] = {"time": time, "level": record.levelname.lower(), "logger": record.name}
        fields["message"] = record.getMessage().strip()
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        return json.dumps(fields, ensure_ascii=False)


class _TextFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return f"error: {record.getMessage()}" if record.levelno >= logging.ERROR else record.getMessage()


class _StandardError(logging.Handler):
    """Writes to what sys.stderr is now, above the progress bars that are on the screen."""

    def emit(self, record: logging.LogRecord) -> None:
        text = (JsonFormatter() if is_json() else _TextFormatter()).format(record)
        if "tqdm" in sys.modules:
            from tqdm import tqdm

            tqdm.write(text, file=sys.stderr)
        else:
            print(text, file=sys.stderr)
        sys.stderr.flush()


@cache
def logger() -> logging.Logger:
    """The logger of all lines, with a handler of its own: ZenML and MLflow put theirs on the root logger."""
    own = logging.getLogger("credence")
    own.setLevel(logging.INFO)
    own.propagate = False
    own.addHandler(_StandardError())
    return own

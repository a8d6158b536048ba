"""Metrics of short-lived jobs, written for the textfile collector of Prometheus' node exporter."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from prometheus_client import CollectorRegistry, write_to_textfile

WRITE_INTERVAL_SECONDS = 15.0

_log = logging.getLogger(__name__)


@contextmanager
def export_metrics(registry: CollectorRegistry, file: Path) -> Iterator[None]:
    """Write the registry to the file every 15 seconds, and once more on exit, also after an error."""
    over = threading.Event()

    def keep_writing() -> None:
        while not over.wait(WRITE_INTERVAL_SECONDS):
            _write(registry, file)

    thread = threading.Thread(target=keep_writing, name="metrics", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        _write(registry, file)


def _write(registry: CollectorRegistry, file: Path) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_to_textfile(str(file), registry)
    except OSError as error:
        # Missing metrics must not stop the job, whose own writes report a bad disk.
        _log.warning("%s: metrics are not written (%s)", file, error.strerror)

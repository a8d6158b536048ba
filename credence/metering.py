"""Figures of a job that ends before anybody scrapes it: a file that Prometheus' node exporter reads."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from prometheus_client import CollectorRegistry, write_to_textfile

SECONDS = 15.0


@contextmanager
def written_out(registry: CollectorRegistry, file: Path) -> Iterator[None]:
    """Write the registry to the file every quarter of a minute, and once more at the end, whatever the end is."""
    file.parent.mkdir(parents=True, exist_ok=True)
    over = threading.Event()

    def write() -> None:
        while not over.wait(SECONDS):
            write_to_textfile(str(file), registry)

    thread = threading.Thread(target=write, name="metrics", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        write_to_textfile(str(file), registry)

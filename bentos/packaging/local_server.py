"""Start a server as a child of this process, wait until it answers, and stop all of it again."""

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import psutil  # type: ignore[import-untyped]

from bentos.packaging.build import QUIET
from bentos.packaging.requirements import ROOT
from credence.core.errors import InputError

HOST = "127.0.0.1"
LAST_LINES = 15
STOP_SECONDS = 10.0


class NotServing(RuntimeError):
    """The server ended, or did not become ready in time; the message holds its last lines."""


@contextmanager
def serve_locally(
    target: str = "credence:latest",
    env: Mapping[str, str] | None = None,
    port: int | None = None,
    seconds: float = 60.0,
) -> Iterator[str]:
    """Serve a bento (or `bentos.service:Credence`) at the URL that is yielded, until the block ends.

    Without `port` the operating system chooses one. BadInput where the port is taken; NotServing where the server
    ends, or is not ready after so many seconds.
    """
    with tempfile.TemporaryDirectory(prefix="credence-serve-") as folder:
        log = Path(folder) / "log"
        chosen = _free(port)
        process = _start(target, chosen, Path(folder), log, env or {})
        try:
            url = f"http://{HOST}:{chosen}"
            _wait(process, url, log, seconds)
            yield url
        finally:
            _stop(process)


def _free(port: int | None) -> int:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port or 0))
        except (OSError, OverflowError):
            raise InputError(f"port {port} of {HOST} is in use; stop what listens there, or choose another.") from None
        return int(probe.getsockname()[1])


def _start(target: str, port: int, folder: Path, log: Path, env: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """A session of its own, which no Ctrl-C of ours reaches; metrics of its own, so that servers do not mix."""
    (folder / "metrics").mkdir()
    surroundings = {**os.environ, **QUIET, "PROMETHEUS_MULTIPROC_DIR": str(folder / "metrics"), **env}
    command = [sys.executable, "-m", "bentoml", "serve", target, "--host", HOST, "--port", str(port)]
    with log.open("wb") as file:
        return subprocess.Popen(command, cwd=ROOT, env=surroundings, stdout=file, stderr=file, start_new_session=True)


def _wait(process: subprocess.Popen[bytes], url: str, log: Path, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise NotServing(f"the server ended with status {process.returncode}: {_last_words(log)}")
        with suppress(httpx.TransportError):
            if httpx.get(f"{url}/readyz", timeout=2.0).status_code == 200:
                return
        time.sleep(0.1)
    raise NotServing(f"the server was not ready after {seconds:g} s: {_last_words(log)}")


def _last_words(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()
    return "\n".join(lines[-LAST_LINES:]) or "it said nothing."


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Ask the server to end, then end what is left of it; its workers are in groups of their own."""
    with suppress(psutil.NoSuchProcess):
        family = [*psutil.Process(process.pid).children(recursive=True), psutil.Process(process.pid)]
        process.terminate()
        _, left = psutil.wait_procs(family, STOP_SECONDS)
        for survivor in left:
            survivor.kill()
    process.wait()

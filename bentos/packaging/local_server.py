"""Start a server as a child process, wait until it is ready, and stop it with all its workers."""

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
    """The server ended or was not ready in time; the message holds its last lines of output."""


@contextmanager
def serve_locally(
    target: str = "credence:latest",
    env: Mapping[str, str] | None = None,
    port: int | None = None,
    seconds: float = 60.0,
) -> Iterator[str]:
    """Serve a bento on 127.0.0.1 until the block ends.

    Args:
        target: The tag of a bento, or `bentos.service:Credence`.
        env: Variables to add to the server's environment.
        port: The port; None lets the operating system choose.
        seconds: Time limit until the server is ready.

    Yields:
        The server's URL.

    Raises:
        InputError: The port is in use.
        NotServing: The server ended, or was not ready in time.
    """
    with tempfile.TemporaryDirectory(prefix="credence-serve-") as folder:
        log = Path(folder) / "log"
        free = _free_port(port)
        process = _start(target, free, Path(folder), log, env or {})
        try:
            url = f"http://{HOST}:{free}"
            _wait_until_ready(process, url, log, seconds)
            yield url
        finally:
            _stop(process)


def _free_port(port: int | None) -> int:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port or 0))
        except (OSError, OverflowError):
            raise InputError(f"port {port} of {HOST} is in use; stop what listens there, or choose another.") from None
        return int(probe.getsockname()[1])


def _start(target: str, port: int, folder: Path, log: Path, env: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """Start in a new session, which Ctrl-C does not reach, and with a metrics folder that no other server uses."""
    (folder / "metrics").mkdir()
    environment = {**os.environ, **QUIET, "PROMETHEUS_MULTIPROC_DIR": str(folder / "metrics"), **env}
    command = [sys.executable, "-m", "bentoml", "serve", target, "--host", HOST, "--port", str(port)]
    with log.open("wb") as file:
        return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=file, stderr=file, start_new_session=True)


def _wait_until_ready(process: subprocess.Popen[bytes], url: str, log: Path, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise NotServing(f"the server ended with status {process.returncode}: {_last_lines(log)}")
        with suppress(httpx.TransportError):
            if httpx.get(f"{url}/readyz", timeout=2.0).status_code == 200:
                return
        time.sleep(0.1)
    raise NotServing(f"the server was not ready after {seconds:g} s: {_last_lines(log)}")


def _last_lines(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()
    return "\n".join(lines[-LAST_LINES:]) or "it printed nothing."


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Terminate the server, then kill what is left after 10 s; its workers are in process groups of their own."""
    with suppress(psutil.NoSuchProcess):
        processes = [*psutil.Process(process.pid).children(recursive=True), psutil.Process(process.pid)]
        process.terminate()
        _, alive = psutil.wait_procs(processes, STOP_SECONDS)
        for child in alive:
            child.kill()
    process.wait()

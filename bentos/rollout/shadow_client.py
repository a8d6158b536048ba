"""Send copies of requests (shadow traffic) to a child process, whose answers go to the log only."""

import json
import logging
import os
import subprocess
import sys
import threading
import time
from collections import deque
from pathlib import Path
from typing import IO, Literal, cast

from bentos.packaging.requirements import ROOT
from bentos.rollout.desired_state import DesiredChallenger

MAX_WAITING = 256
MAX_BYTES = 64 << 20
MAX_STARTS, PER_SECONDS = 3, 60.0
READY, DONE, FAILED, REFUSED = b"ready", b"done", b"failed", b"refused"
ShadowState = Literal["starting", "ready", "refused"]
logger = logging.getLogger("bentoml.credence")


class ShadowClient:
    """A child process and a bounded queue of copies for it. It never delays or changes an answer.

    The queue holds at most 256 copies and 64 MiB. Copies that do not fit, and copies lost in a crash, are counted in
    `failures`.

    Args:
        challenger: The predictor that answers copies.
        champion: The champion's folder, if it answers copies too (in a split).
        task: The task's name.
        logs: Whether the answers are logged.
    """

    def __init__(self, challenger: DesiredChallenger, champion: Path | None, task: str, logs: bool) -> None:
        self.state: ShadowState = "starting"
        self.reason, self.failures = "", 0
        about = {
            "task": task,
            "challenger": challenger.model_dump(),
            "champion": champion and str(champion),
            "logs": logs,
        }
        self._command = [sys.executable, "-m", "bentos.rollout.shadow_worker", json.dumps(about)]
        self._waiting: deque[bytes] = deque()
        self._bytes, self._open = 0, 0
        self._changed, self._closed = threading.Condition(), False
        self._child: subprocess.Popen[bytes] | None = None
        self._ready = False
        self._starts: deque[float] = deque(maxlen=MAX_STARTS)
        self._threads = [threading.Thread(target=run, daemon=True) for run in (self._keep, self._feed)]
        for thread in self._threads:
            thread.start()

    def put(self, role: str, request_id: str, body: bytes, many: bool) -> bool:
        """Queue a copy of a request for the side `role`; return False if it was dropped."""
        head = json.dumps({"role": role, "id": request_id, "many": many, "size": len(body)}).encode()
        with self._changed:
            full = len(self._waiting) >= MAX_WAITING or self._bytes + len(body) > MAX_BYTES
            if full or self._closed or self.state == "refused":
                self.failures += not self._closed
                return False
            self._waiting.append(head + b"\n" + body)
            self._bytes += len(body)
            self._changed.notify_all()
        return True

    def close(self) -> None:
        """Kill the child process; queued copies are dropped."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            if self._child:
                self._child.kill()
        for thread in self._threads:
            thread.join()

    def _keep(self) -> None:
        """Start the child, read its output until it ends, and restart it, at most 3 times a minute."""
        while (child := self._start()) is not None:
            with child:
                self._listen(child)
                child.kill()
            with self._changed:
                self._child, self._ready = None, False
                self.failures += self._open
                self._open = 0
                if not self._closed and self.state != "refused":
                    logger.warning("the process that answers copies ended; it is restarted")
                    self._changed.wait_for(lambda: self._closed, self._pause())

    def _pause(self) -> float:
        """Return the seconds until the child may be restarted."""
        full = len(self._starts) == MAX_STARTS
        return max(0.0, self._starts[0] + PER_SECONDS - time.monotonic()) if full else 0.0

    def _start(self) -> subprocess.Popen[bytes] | None:
        paths = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
        with self._changed:
            if self._closed or self.state == "refused":
                return None
            self._starts.append(time.monotonic())
            self._child = subprocess.Popen(
                self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": paths}
            )
            return self._child

    def _listen(self, child: subprocess.Popen[bytes]) -> None:
        for line in cast(IO[bytes], child.stdout):
            word, _, rest = line.strip().partition(b" ")
            with self._changed:
                if word == READY:
                    self.state, self._ready = "ready", True
                elif word == REFUSED:
                    self.state, self.reason = "refused", rest.decode()
                elif word in (DONE, FAILED):
                    self._open -= 1
                    self.failures += word == FAILED
                self._changed.notify_all()

    def _feed(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or (self._waiting and self._ready))
                if self._closed or self._child is None:
                    return
                frame, child = self._waiting.popleft(), self._child
                self._bytes -= len(frame)
                self._open += 1
            self._send(child, frame)

    def _send(self, child: subprocess.Popen[bytes], frame: bytes) -> None:
        """Write a frame. If the pipe is broken, `_keep` counts the lost copies."""
        try:
            pipe = cast(IO[bytes], child.stdin)
            pipe.write(frame)
            pipe.flush()
        except (OSError, ValueError):
            with self._changed:
                if self._child is child:
                    self._ready = False

"""The child process that answers copies of requests: `python -m bentos.rollout.shadow_worker ABOUT`."""

import json
import logging
import os
import sys
from pathlib import Path
from typing import IO, Any

from bentos.rollout.desired_state import DesiredChallenger
from bentos.rollout.load_check import load_and_verify
from bentos.rollout.shadow_client import DONE, FAILED, READY, REFUSED
from bentos.runtime.loaded_predictor import LoadedPredictor
from bentos.runtime.request_context import RequestContext
from bentos.runtime.request_log import RequestLog
from credence.core.errors import InputError

NICE = 10
logger = logging.getLogger("bentoml.credence")


def main(about: dict[str, Any], frames: IO[bytes], said: IO[bytes]) -> None:
    """Answer copies until the input ends, which it does when the worker closes or dies.

    Args:
        about: JSON with `task`, `challenger`, `champion` (a folder or null) and `logs`.
        frames: Copies: one line of JSON with the body's size, then the body.
        said: One line per event: ready, refused with a reason, done or failed.
    """
    try:
        sides = {"challenger": load_and_verify(DesiredChallenger(**about["challenger"]), about["task"])}
        if about["champion"]:
            sides["champion"] = LoadedPredictor(Path(about["champion"]))
        request_log = RequestLog(about["task"]) if about["logs"] else None
    except InputError as error:
        _say(said, REFUSED + b" " + str(error).encode())
        return
    _say(said, READY)
    while head := frames.readline():
        frame = json.loads(head)
        body = frames.read(frame["size"])
        _say(said, DONE if _answered(frame, body, sides[frame["role"]], request_log) else FAILED)
    if request_log:
        request_log.close()


def _answered(frame: dict[str, Any], body: bytes, loaded: LoadedPredictor, request_log: RequestLog | None) -> bool:
    context = RequestContext(frame["id"])
    try:
        rows, found = loaded.answer(body, frame["many"])
    except Exception as error:  # it may be able to answer the next copy
        logger.warning("%s could not answer a copy: %r", loaded.info.version, error)
        return False
    if request_log:
        request_log.note(context, loaded.info, rows, found, frame["role"], delivered=False)
    return True


def _say(said: IO[bytes], words: bytes) -> None:
    said.write(words + b"\n")
    said.flush()


if __name__ == "__main__":
    os.nice(NICE)  # lower priority than the workers that callers wait for
    main(json.loads(sys.argv[1]), sys.stdin.buffer, sys.stdout.buffer)

"""The process that answers copies of requests: `python -m bentos.rollout.shadow_worker ABOUT`."""

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
    """Answer until the frames end, which they do when the worker closes or dies."""
    try:
        sides = {"challenger": load_and_verify(DesiredChallenger(**about["challenger"]), about["task"])}
        if about["champion"]:
            sides["champion"] = LoadedPredictor(Path(about["champion"]))
        journal = RequestLog(about["task"]) if about["logs"] else None
    except InputError as error:
        _say(said, REFUSED + b" " + str(error).encode())
        return
    _say(said, READY)
    while head := frames.readline():
        frame = json.loads(head)
        body = frames.read(frame["size"])
        _say(said, DONE if _answered(frame, body, sides[frame["role"]], journal) else FAILED)
    if journal:
        journal.close()


def _answered(frame: dict[str, Any], body: bytes, answerer: LoadedPredictor, journal: RequestLog | None) -> bool:
    caller = RequestContext(frame["id"])
    try:
        rows, found = answerer.answer(body, frame["many"])
    except Exception as error:  # the next copy may be one that it can answer
        logger.warning("%s could not answer a copy: %r", answerer.info.version, error)
        return False
    if journal:
        journal.note(caller, answerer.info, rows, found, frame["role"], delivered=False)
    return True


def _say(said: IO[bytes], words: bytes) -> None:
    said.write(words + b"\n")
    said.flush()


if __name__ == "__main__":
    os.nice(NICE)  # answers that somebody waits for come first
    main(json.loads(sys.argv[1]), sys.stdin.buffer, sys.stdout.buffer)

"""Processes for the tests of generation: a server that keeps accounts, a run, and runs that are killed.

`python -m tests.support.generation_runs serve`, `… run WISH` and `… kill WISH`, WISH being the JSON of a Wish.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.request import Request as Question
from urllib.request import urlopen

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from tests.fakes.fake_llm import FakeLLM
from tests.fakes.fake_wire import Wire

ROOT = Path(__file__).parents[2]


class Wish(NamedTuple):
    """What a process shall do: fill this section's ledger below `home`, and be killed so many times before it may."""

    home: str
    section: dict[str, Any]
    kills: int = 0
    seed: int = 0
    longest: float = 1.0


class Billing(FakeLLM):
    """The fake, with the tokens of all its answers, which somebody would have to pay for."""

    def __init__(self) -> None:
        super().__init__()
        self.billed = {"input": 0, "output": 0}

    async def _set(self, request: Request) -> Response:
        self.billed = {"input": 0, "output": 0}
        return await super()._set(request)

    async def _tell(self, request: Request) -> Response:
        return JSONResponse(self.stats.seen() | {"billed": self.billed})

    async def _answer(self, wire: Wire, request: Request) -> Response:
        try:
            response = await super()._answer(wire, request)
        except ClientDisconnect:
            return Response(status_code=204)  # killed before it had said what it wants
        usage = json.loads(bytes(response.body)).get("usage", {}) if response.status_code == 200 else {}
        for kind, names in {"input": ("prompt", "input"), "output": ("completion", "output")}.items():
            self.billed[kind] += sum(usage.get(f"{name}_tokens", 0) for name in names)
        return response


class Server:
    """The fake in a process of its own."""

    def __init__(self, url: str) -> None:
        self.url = url

    def does(self, **script: Any) -> None:
        """Replace the script and forget what was seen."""
        urlopen(Question(f"{self.url}/__script", json.dumps(script).encode()), timeout=10).read()

    def saw(self) -> dict[str, Any]:
        """What has happened since."""
        told: dict[str, Any] = json.loads(urlopen(f"{self.url}/__stats", timeout=10).read())
        return told


@contextmanager
def served() -> Iterator[Server]:
    """A server for as long as it is needed."""
    command = [sys.executable, "-m", "tests.support.generation_runs", "serve"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout
        yield Server(process.stdout.readline().strip())
    finally:
        process.kill()
        process.communicate()


def started(what: str, wish: Wish, **more: Any) -> "subprocess.Popen[str]":
    """A process that does this with a wish, in an environment without anything of ours."""
    command = [sys.executable, "-m", "tests.support.generation_runs", what, json.dumps(wish._asdict())]
    env = {"PATH": "", "CREDENCE_HOME": wish.home, "FAKE_KEY": "sk-of-nobody", "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True, **more)


def serve() -> None:
    fake = Billing()
    print(fake.url, flush=True)
    fake.run()


def run(wish: Wish) -> None:
    """One run to its end, or until it is interrupted."""
    from credence.core.errors import InputError
    from credence.generation.generate import generate
    from credence.generation.section import Generation

    try:
        done = generate("killed", Generation(**wish.section))
    except KeyboardInterrupt:
        os._exit(130)
    except InputError as error:
        sys.exit(str(error))
    print(json.dumps({"stopped": done.stopped}), flush=True)


def kill(wish: Wish) -> None:
    """Kill run after run, half of them soon after their start, and let the last one live.

    A process that forks, so that a run does not begin with seconds of imports.
    """
    from credence.generation.generate import generation_run_folder
    from credence.generation.section import Generation

    section, dice = Generation(**wish.section), random.Random(wish.seed)
    section.providers[0].build()
    server = Server(wish.section["providers"][0]["base_url"].removesuffix("/v1"))
    folder, seen, faults = generation_run_folder("killed", section), dict[str, dict[str, Any]](), list[str]()
    killed = 0
    for k in range(wish.kills + 1):
        before = server.saw()["calls"]
        child = os.fork()
        if child == 0:
            run(wish)
            os._exit(0)
        if k < wish.kills:
            _await_calls(server, before if k % 2 else -1)
            time.sleep(dice.uniform(0, wish.longest if k % 2 else 0.2))
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        killed += os.WIFSIGNALED(status)
        faults += _compared(folder, seen)
    assert status == 0, "the last run ended well"
    print(json.dumps({"killed": killed, "faults": faults, "folder": str(folder)}), flush=True)


def _await_calls(server: Server, before: int) -> None:
    """Wait until a run has asked for something."""
    until = time.monotonic() + 20
    while server.saw()["calls"] == before and time.monotonic() < until:
        time.sleep(0.01)


def _compared(folder: Path, seen: dict[str, dict[str, Any]]) -> list[str]:
    """What was lost or changed since the last look. A text may pass to a slot with a smaller id, and to no other."""
    from credence.core.errors import InputError
    from credence.generation.ledger import LedgerReader

    try:
        with LedgerReader(folder) as reader:
            now = {row["content_id"]: row for row in reader.results().to_pylist()}
    except InputError:
        return [f"lost: {content}" for content in seen]
    lost = [f"lost: {content}" for content in seen if content not in now]
    same = [(row, now[content]) for content, row in seen.items() if content in now]
    changed = [f"changed: {a} {b}" for a, b in same if a != b and a["slot_id"] <= b["slot_id"]]
    seen.update(now)
    return lost + changed


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve()
    else:
        {"run": run, "kill": kill}[sys.argv[1]](Wish(**json.loads(sys.argv[2])))

"""A language model's server on this machine: three wire formats, streams, limits, and any fault on demand.

`with FakeLLM() as fake:` serves in a thread; `python -m tests.fakes.fake_llm` in a process and prints its address.
POST /__script sets what happens next (see Script), GET /__stats tells what has happened.
"""

import asyncio
import collections
import json
import random
import re
import socket
import threading
import time
import urllib.request
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any, Self

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from tests.fakes.fake_faults import FAULTS, Fault
from tests.fakes.fake_wire import WIRES, Wire

Think = Callable[[str], str]


@dataclass
class Script:
    """What the server does: `faults` first, one per call; then `always`; then one of `mix` in a `share` of the calls.

    `only` limits faults to prompts that hold this text; `window` is {allowed, seconds}: calls above it get a 429.
    After `silent_after` answers every call is left without one for an hour.
    """

    faults: list[Any] = field(default_factory=list)
    always: Any = None
    mix: list[Any] = field(default_factory=list)
    share: float = 0.35
    seed: int = 0
    only: str = ""
    latency: float = 0.0
    silent_after: int | None = None
    window: dict[str, float] | None = None
    text: str | None = None

    def __post_init__(self) -> None:
        self.faults = collections.deque(self.faults)  # type: ignore[assignment]
        self.chance = random.Random(self.seed)
        self.accepted: collections.deque[float] = collections.deque()

    def next(self, prompt: str) -> Fault | None:
        if self.only and self.only not in prompt:
            return None
        if self.faults:
            return Fault.of(self.faults.popleft())  # type: ignore[attr-defined]
        if self.always:
            return Fault.of(self.always)
        return Fault.of(self.chance.choice(self.mix)) if self.mix and self.chance.random() < self.share else None

    def wait(self) -> float:
        """0 where the window has room for one more call, otherwise the seconds until it has."""
        if not self.window:
            return 0.0
        now, seconds = time.monotonic(), self.window["seconds"]
        while self.accepted and self.accepted[0] <= now - seconds:
            self.accepted.popleft()
        if len(self.accepted) >= self.window["allowed"]:
            return self.accepted[0] + seconds - now
        self.accepted.append(now)
        return 0.0


@dataclass
class Stats:
    """What the server has seen."""

    calls: int = 0
    answered: int = 0
    in_flight: int = 0
    peak: int = 0
    limited: int = 0
    faults: collections.Counter[str] = field(default_factory=collections.Counter)
    prompts: collections.Counter[str] = field(default_factory=collections.Counter)
    retry_counts: set[str] = field(default_factory=set)
    last: dict[str, Any] = field(default_factory=dict)

    def seen(self) -> dict[str, Any]:
        told = {k: v for k, v in self.__dict__.items() if k not in ("prompts", "retry_counts", "faults")}
        return told | {
            "faults": dict(self.faults),
            "unique": len(self.prompts),
            "asked_twice": sum(1 for n in self.prompts.values() if n > 1),
            "retry_counts": sorted(self.retry_counts),
        }


def think(prompt: str) -> str:
    """A good reply: statements of arithmetic where the prompt holds slots as JSON, otherwise an empty list."""
    from credence.generation.arithmetic import propose_statement

    slots = _slots(prompt)
    items = [propose_statement(s.get("seed", 0), s["category"], s["label"], s["ordinal"], s["attempt"]) for s in slots]
    said = [{"category": i.category, "question": i.question, "claim": i.claim, "answer": i.answer} for i in items]
    return json.dumps({"items": said})


def _slots(prompt: str) -> list[dict[str, Any]]:
    found = []
    for match in re.finditer(r"\{", prompt):
        try:
            value, _ = json.JSONDecoder().raw_decode(prompt, match.start())
        except ValueError:
            continue
        if isinstance(value, dict) and {"category", "label", "ordinal", "attempt"} <= value.keys():
            found.append(value)
    return found


class FakeLLM:
    """The server. `url` is its address: the openai SDK wants `url + "/v1"`, the anthropic SDK `url`."""

    def __init__(self, think: Think = think, port: int = 0) -> None:
        self.think, self.script, self.stats = think, Script(), Stats()
        self.socket = socket.create_server(("127.0.0.1", port))
        self.url = f"http://127.0.0.1:{self.socket.getsockname()[1]}"
        answers = [Route(wire.path, self._endpoint(wire), methods=["POST"]) for wire in WIRES]
        control = [Route("/__script", self._set, methods=["POST"]), Route("/__stats", self._tell)]
        app = Starlette(routes=[*answers, *control])
        config = uvicorn.Config(app, log_config=None, date_header=False, lifespan="off", timeout_graceful_shutdown=1)
        self.server = uvicorn.Server(config)
        self.thread = threading.Thread(target=self.run, daemon=True)

    def run(self) -> None:
        self.server.run(sockets=[self.socket])

    def __enter__(self) -> Self:
        self.thread.start()
        while not self.server.started:
            time.sleep(0.01)
        return self

    def __exit__(self, *_: object) -> None:
        self.server.should_exit = True
        self.thread.join()

    def does(self, **script: Any) -> None:
        """Replace the script and forget what was seen, over HTTP as another process would."""
        body = json.dumps(script).encode()
        urllib.request.urlopen(urllib.request.Request(f"{self.url}/__script", body), timeout=10).read()

    def saw(self) -> dict[str, Any]:
        told: dict[str, Any] = json.loads(urllib.request.urlopen(f"{self.url}/__stats", timeout=10).read())
        return told

    async def _set(self, request: Request) -> Response:
        self.script, self.stats = Script(**await request.json()), Stats()
        return JSONResponse({})

    async def _tell(self, request: Request) -> Response:
        return JSONResponse(self.stats.seen())

    def _endpoint(self, wire: Wire) -> Callable[[Request], Any]:
        async def answer(request: Request) -> Response:
            stats = self.stats
            stats.in_flight += 1
            stats.peak = max(stats.peak, stats.in_flight)
            try:
                return await self._answer(wire, request)
            finally:
                stats.in_flight -= 1

        return answer

    async def _answer(self, wire: Wire, request: Request) -> Response:
        body = await request.json()
        prompt = self._note(wire, request, body)
        wait = self.script.wait()
        fault = Fault("429", {"retry-after": f"{wait:.3f}"}) if wait else self.script.next(prompt)
        self.stats.limited += bool(wait)
        if self.script.latency:
            await asyncio.sleep(self.script.latency)
        if self.script.silent_after is not None and self.stats.answered >= self.script.silent_after:
            await asyncio.sleep(3600)
        if fault:
            self.stats.faults[fault.kind] += 1
            return await FAULTS[fault.kind](wire, request, body, fault)
        self.stats.answered += 1
        text = self.think(prompt) if self.script.text is None else self.script.text
        if body.get("stream"):
            return StreamingResponse(_events(wire, body, text), media_type="text/event-stream")
        return JSONResponse(wire.success(body, text), headers=wire.headers)

    def _note(self, wire: Wire, request: Request, body: dict[str, Any]) -> str:
        prompt = wire.prompt(body)
        self.stats.calls += 1
        self.stats.prompts[prompt] += 1
        self.stats.retry_counts.add(request.headers.get("x-stainless-retry-count", "absent"))
        self.stats.last = {"path": wire.path, "headers": dict(request.headers), "body": body}
        return prompt


async def _events(wire: Wire, body: dict[str, Any], text: str) -> AsyncIterator[str]:
    for name, data in wire.stream(body, text):
        yield (f"event: {name}\n" if name else "") + f"data: {data if isinstance(data, str) else json.dumps(data)}\n\n"


if __name__ == "__main__":
    fake = FakeLLM()
    print(fake.url, flush=True)
    fake.run()

"""An event loop whose clock jumps to the next event, and an endpoint that behaves as it is told."""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from pydantic import PrivateAttr

from credence.generation.llm.messages import Reply, Request, Usage
from credence.generation.llm.provider import Provider, RateLimits

T = TypeVar("T")


class _Skipping:
    """A selector that never sleeps: it says how long it would have."""

    def __init__(self, loop: "VirtualLoop", selector: Any) -> None:
        self._loop, self._selector = loop, selector

    def select(self, timeout: float | None) -> Any:
        if timeout is None:
            raise RuntimeError("everything waits, and nothing will ever happen")
        self._loop.now += timeout
        return self._selector.select(0)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._selector, name)


class VirtualLoop(asyncio.SelectorEventLoop):
    """Time passes only while everybody waits, and then at once."""

    def __init__(self) -> None:
        self.now = 1000.0
        super().__init__()
        self._selector = _Skipping(self, self._selector)  # type: ignore[has-type]

    def time(self) -> float:
        return self.now


def played(coroutine: Coroutine[Any, Any, T]) -> T:
    """What a coroutine returns in virtual time."""
    loop = VirtualLoop()
    try:
        return loop.run_until_complete(asyncio.wait_for(coroutine, 1e6))
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


def now() -> float:
    return asyncio.get_running_loop().time()


def request(provider: str = "first", *, sample: int = 0, max_tokens: int = 100, user: str = "x" * 300) -> Request:
    return Request(provider=provider, model="?", system="", user=user, max_tokens=max_tokens, sample=sample)


def ok(text: str = "yes", *, input: int = 50, output: int = 50, latency: float = 1.0, **more: Any) -> Reply:
    usage = Usage(input=input, output=output)
    return Reply(kind="ok", text=text, status=200, usage=usage, latency=latency, **more)


def http(status: int, *, retry_after: float | None = None, error_type: str | None = None, **more: Any) -> Reply:
    return Reply(kind="http", status=status, retry_after=retry_after, error_type=error_type, latency=0.1, **more)


Behaviour = Callable[[Request, int], Reply]


class Played(Provider):
    """Answers by a function of the request and the number of the call, after the reply's latency."""

    name: str = "first"
    model: str = "arithmetic"
    limits: RateLimits = RateLimits(rpm=None)
    total_seconds: float = 120.0
    _behave: Behaviour | None = PrivateAttr(default=None)
    _calls: list[tuple[float, Request]] = PrivateAttr(default_factory=list)
    _open: int = PrivateAttr(default=0)
    _peak: int = PrivateAttr(default=0)

    async def complete(self, request: Request) -> Reply:
        self._calls.append((now(), request))
        reply = self._behave(request, len(self._calls)) if self._behave else ok()
        self._open += 1
        self._peak = max(self._peak, self._open)
        try:
            await asyncio.sleep(reply.latency)
        finally:
            self._open -= 1
        return reply

    @property
    def times(self) -> list[float]:
        return [time for time, _ in self._calls]

    @property
    def requests(self) -> list[Request]:
        return [request for _, request in self._calls]

    @property
    def peak(self) -> int:
        return self._peak


def playing(behave: Behaviour | list[Reply], **fields: Any) -> Played:
    """A provider with that behaviour; a list is answered in order, its last reply for ever."""
    provider = Played(**fields)
    provider._behave = (lambda _, call: behave[min(call, len(behave)) - 1]) if isinstance(behave, list) else behave
    return provider


def most_in_any(times: list[float], span: float) -> int:
    """The most calls within any window of that length."""
    times = sorted(times)
    return max((sum(1 for t in times if start <= t < start + span) for start in times), default=0)


def ends(outcomes: list[Any]) -> Counter[str]:
    return Counter(outcome.end for outcome in outcomes)


class Remembered:
    """A journal in memory, slow as a disk."""

    def __init__(self) -> None:
        self.held: dict[str, int] = {}

    async def reserve_async(self, request_id: str, cost: int) -> str:
        await asyncio.sleep(0.01)
        self.held[f"{request_id}/{len(self.held)}"] = cost
        return list(self.held)[-1]

    def release(self, reservation: str) -> None:
        del self.held[reservation]

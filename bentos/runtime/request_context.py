"""Who asks: what the guard learned about the request that is being answered."""

import time
from contextvars import ContextVar
from dataclasses import dataclass, field


@dataclass(frozen=True)
class RequestContext:
    """The id of the request, by what it keeps to one side of a split, and when all of it was there."""

    request_id: str
    session: str = ""
    since: float = field(default_factory=time.perf_counter)

    def milliseconds(self) -> float:
        """How long it has been waiting for its answer."""
        return (time.perf_counter() - self.since) * 1000


REQUEST_CONTEXT: ContextVar[RequestContext] = ContextVar("caller")

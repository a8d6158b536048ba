"""Context of the request being answered: its id, its session, its arrival time."""

import time
from contextvars import ContextVar
from dataclasses import dataclass, field


@dataclass(frozen=True)
class RequestContext:
    """Request id, session id (empty if none was sent) and `time.perf_counter()` when the body was complete.

    In an A/B split, all requests of one session go to the same side.
    """

    request_id: str
    session: str = ""
    since: float = field(default_factory=time.perf_counter)

    def milliseconds(self) -> float:
        """Return the milliseconds since the body was complete."""
        return (time.perf_counter() - self.since) * 1000


REQUEST_CONTEXT: ContextVar[RequestContext] = ContextVar("caller")

"""Context of the request being answered: its id, its session, its arrival time."""

import time
from contextvars import ContextVar
from dataclasses import dataclass, field


@dataclass(frozen=True)
class RequestContext:
    """What the middleware knows of a request.

    Attributes:
        request_id: Its id, also sent back as X-Request-ID.
        session: The caller's X-Session-ID, or empty. In an A/B split, a session's requests go to the same side.
        since: `time.perf_counter()` when the body was complete.
    """

    request_id: str
    session: str = ""
    since: float = field(default_factory=time.perf_counter)

    def milliseconds(self) -> float:
        """Return the milliseconds since the body was complete."""
        return (time.perf_counter() - self.since) * 1000


REQUEST_CONTEXT: ContextVar[RequestContext] = ContextVar("caller")

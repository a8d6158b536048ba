"""Rate limiter with a sliding window: at most the allowed requests and tokens in any 60 seconds."""

import asyncio
from collections import deque
from dataclasses import dataclass

from credence.generation.llm.notifier import Clock, Notifier, loop_time
from credence.generation.llm.rate_limit_headers import HeaderLimits

WINDOW = 60.0
# Seconds added to the window, since calls arrive with varying delay. With 0.25 s, beside five busy processes, a strict
# server refused 3 of 184 calls. 0.5 s costs 0.8 % of the throughput.
MARGIN = 0.5


@dataclass(eq=False)
class RateTicket:
    """One call in the log: when it was sent (seconds) and its tokens."""

    sent: float
    tokens: int


class RateLimiter:
    """Admits calls in order of arrival.

    Args:
        requests: Requests per window; None means no limit.
        tokens: Tokens per window; None means no limit.
        window: Length of the window in seconds; default 60.
        margin: Seconds added to the window; default 0.5.
        clock: Returns monotonic seconds.
    """

    def __init__(
        self,
        requests: int | None,
        tokens: int | None = None,
        *,
        window: float = WINDOW,
        margin: float = MARGIN,
        clock: Clock = loop_time,
    ) -> None:
        self.requests, self.tokens = requests, tokens
        self._own = (requests, tokens)
        self._span = window + margin
        self._clock = clock
        self._log: deque[RateTicket] = deque()
        self._held = 0.0
        self._turn = asyncio.Lock()
        self._changed = Notifier()

    async def reserve(self, tokens: int = 0) -> RateTicket:
        """Wait for a place in the window and take it; the call must be sent at once."""
        async with self._turn:
            while (delay := self.delay(tokens)) > 0:
                await self._changed.wait(delay)
            ticket = RateTicket(self._clock(), tokens)
            self._log.append(ticket)
            return ticket

    def settle(self, ticket: RateTicket, tokens: int) -> None:
        """Replace a call's estimated tokens by the actual number."""
        ticket.tokens = tokens
        self._changed.notify_all()

    def release(self, ticket: RateTicket) -> None:
        """Remove a call that was not sent."""
        if ticket in self._log:
            self._log.remove(ticket)
            self._changed.notify_all()

    def apply_limits(self, limits: HeaderLimits) -> None:
        """Apply the limits in a reply's headers if they are lower than the configured ones."""
        if limits.requests is not None:
            self.requests = _lower(self._own[0], limits.requests)
        if limits.tokens is not None:
            self.tokens = _lower(self._own[1], limits.tokens)
        if limits.hold:
            self.hold(limits.hold)

    def hold(self, seconds: float) -> None:
        """Admit no call for this many seconds."""
        self._held = max(self._held, self._clock() + seconds)

    def delay(self, tokens: int = 0, ahead: int = 0) -> float:
        """Return the seconds until a call may be sent.

        Args:
            tokens: Its tokens.
            ahead: Number of calls waiting before it.
        """
        now = self._clock()
        while self._log and self._log[0].sent + self._span <= now:
            self._log.popleft()
        return max(self._held - now, self._requests_delay(now, ahead), self._tokens_delay(now, tokens), 0.0)

    def utilisation(self) -> float:
        """Return the share (0 to 1) of the tighter limit that the last window used."""
        self.delay()
        shares = [len(self._log) / self.requests] if self.requests else []
        shares += [sum(t.tokens for t in self._log) / self.tokens] if self.tokens else []
        return max(shares, default=0.0)

    def _requests_delay(self, now: float, ahead: int) -> float:
        if self.requests is None or len(self._log) + ahead < self.requests:
            return 0.0
        first = len(self._log) + ahead - self.requests
        return self._log[first].sent + self._span - now if first < len(self._log) else self._span

    def _tokens_delay(self, now: float, tokens: int) -> float:
        if self.tokens is None:
            return 0.0
        # A call larger than the whole limit is sent alone.
        excess = sum(t.tokens for t in self._log) + min(tokens, self.tokens) - self.tokens
        last = 0.0
        for ticket in self._log:
            if excess <= 0:
                break
            excess -= ticket.tokens
            last = ticket.sent + self._span - now
        return last


def _lower(own: int | None, given: int) -> int:
    return max(1, given if own is None else min(own, given))

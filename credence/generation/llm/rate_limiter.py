"""A sliding log of what was sent: never more requests or tokens in any window than an endpoint allows."""

import asyncio
from collections import deque
from dataclasses import dataclass

from credence.generation.llm.notifier import Clock, Notifier, loop_time
from credence.generation.llm.rate_limit_headers import HeaderLimits

WINDOW = 60.0
# Calls take longer to arrive on a new connection or from a busy machine: with a quarter of a second beside five busy
# processes a strict server refused 3 of 184. Half a second costs 0.8 % of a minute.
MARGIN = 0.5


@dataclass(eq=False)
class RateTicket:
    """One call's place in the log: when it was sent, and the tokens that it takes."""

    sent: float
    tokens: int


class RateLimiter:
    """First come, first served. None for a limit that does not exist."""

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
        """Wait for a place in the window and take it. The call must be sent now."""
        async with self._turn:
            while (delay := self.delay(tokens)) > 0:
                await self._changed.wait(delay)
            ticket = RateTicket(self._clock(), tokens)
            self._log.append(ticket)
            return ticket

    def settle(self, ticket: RateTicket, tokens: int) -> None:
        """Count the tokens that a call really took."""
        ticket.tokens = tokens
        self._changed.notify_all()

    def release(self, ticket: RateTicket) -> None:
        """Give back the place of a call that was never sent."""
        if ticket in self._log:
            self._log.remove(ticket)
            self._changed.notify_all()

    def apply_limits(self, told: HeaderLimits) -> None:
        """Follow what the headers of a reply say, where that is less than our own; what they leave out stays."""
        if told.requests is not None:
            self.requests = _lower(self._own[0], told.requests)
        if told.tokens is not None:
            self.tokens = _lower(self._own[1], told.tokens)
        if told.hold:
            self.hold(told.hold)

    def hold(self, seconds: float) -> None:
        """Send nothing for so many seconds."""
        self._held = max(self._held, self._clock() + seconds)

    def delay(self, tokens: int = 0, ahead: int = 0) -> float:
        """Seconds until a call of so many tokens may be sent, when so many others go ahead of it."""
        now = self._clock()
        while self._log and self._log[0].sent + self._span <= now:
            self._log.popleft()
        return max(self._held - now, self._requests_delay(now, ahead), self._tokens_delay(now, tokens), 0.0)

    def utilisation(self) -> float:
        """The share of the tighter limit that the last window used."""
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
        # A call larger than the whole allowance can only go alone.
        excess = sum(t.tokens for t in self._log) + min(tokens, self.tokens) - self.tokens
        last = 0.0
        for ticket in self._log:
            if excess <= 0:
                break
            excess -= ticket.tokens
            last = ticket.sent + self._span - now
        return last


def _lower(own: int | None, told: int) -> int:
    return max(1, told if own is None else min(own, told))

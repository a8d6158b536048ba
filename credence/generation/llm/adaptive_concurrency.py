"""Adapt the number of concurrent calls: raise it while calls succeed, halve it when the endpoint is overloaded."""

import asyncio
import math
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

INITIAL_LIMIT = 4
MAX_LIMIT = 256
LATENCIES = 200


class AdaptiveConcurrency:
    """Additive increase, multiplicative decrease (as TCP); doubles per round trip until the first decrease.

    Args:
        requests_per_minute: The endpoint's rate limit, if any.
        most: Maximum of concurrent calls; at most 256.
        start: Initial limit; default 4.
    """

    def __init__(
        self, *, requests_per_minute: int | None = None, most: int | None = None, start: int = INITIAL_LIMIT
    ) -> None:
        self._rpm = requests_per_minute
        self._most = min(most or MAX_LIMIT, MAX_LIMIT)
        self._ceiling = self._most
        self._limit = float(min(start, self._most))
        self._latencies: deque[float] = deque(maxlen=LATENCIES)
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._growing = True
        # Calls that started before a decrease carry no information about the limit after it.
        self._period = 0
        self.in_flight = 0

    @property
    def limit(self) -> int:
        """Return the number of calls that may be in progress now."""
        return max(1, min(int(self._limit), self.ceiling()))

    def ceiling(self) -> int:
        """Return the concurrency that the rate limit can use at the 99th percentile of latency."""
        return self._ceiling

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[int]:
        """Wait for a place among the calls in progress, first come, first served; yields the current period."""
        await self._enter()
        try:
            yield self._period
        finally:
            self.in_flight -= 1
            self._wake()

    def succeeded(self, latency: float) -> None:
        """Record a successful call and its latency in seconds."""
        self._latencies.append(latency)
        self._ceiling = self._usable_concurrency()
        # Grow the limit only if it is used: at least half of it.
        if 2 * self.in_flight >= self.limit:
            self._limit = min(self._limit + (1 if self._growing else 1 / self._limit), self._most)
        self._wake()

    def overloaded(self, period: int) -> None:
        """Record a call that was throttled or timed out. The limit decreases once per round trip.

        Args:
            period: What `slot` yielded for this call.
        """
        if period == self._period:
            self._limit = max(1.0, self.limit / 2)
            self._growing = False
            self._period += 1

    def mean_latency(self) -> float | None:
        """Return the mean latency of the last 200 calls in seconds; None before the first."""
        return sum(self._latencies) / len(self._latencies) if self._latencies else None

    async def _enter(self) -> None:
        if self.in_flight < self.limit and not self._waiting:
            self.in_flight += 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.in_flight -= 1
                self._wake()
            raise

    def _usable_concurrency(self) -> int:
        if self._rpm is None:
            return self._most
        slowest = sorted(self._latencies)[math.ceil(0.99 * len(self._latencies)) - 1]
        return min(self._most, max(INITIAL_LIMIT, math.ceil(self._rpm / 60 * slowest * 1.2)))

    def _wake(self) -> None:
        limit = self.limit
        while self._waiting and self.in_flight < limit:
            turn = self._waiting.popleft()
            if not turn.done():
                self.in_flight += 1
                turn.set_result(None)

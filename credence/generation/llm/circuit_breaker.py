"""Circuit breaker: stop calls to a failing endpoint, and test with single probe calls when it is back."""

import random
from collections import deque
from typing import Literal

from credence.generation.llm.notifier import Clock, loop_time

WINDOW_CALLS = 20
MIN_CALLS = 5
MAX_FAILURE_SHARE = 0.5
FIRST_OPEN_SECONDS, MAX_OPEN_SECONDS = 5.0, 300.0
SPREAD = 0.2

BreakerState = Literal["closed", "half-open", "open"]


class Permit:
    """Permission for one call. Call exactly one of its methods when the call has ended."""

    def __init__(self, breaker: "CircuitBreaker", period: int) -> None:
        self._breaker, self._period = breaker, period

    def ok(self) -> None:
        """Report that the endpoint answered."""
        self._breaker.ended(self._period, failed=False)

    def failed(self) -> None:
        """Report a failure of the endpoint: 5xx, network, deadline, envelope."""
        self._breaker.ended(self._period, failed=True)

    def ignored(self) -> None:
        """Report a reply that is no failure (429, 4xx, unusable text): not counted, but a probe succeeds."""
        self._breaker.lives(self._period)

    def cancelled(self) -> None:
        """Report that the call was cancelled on our side: no information."""
        self._breaker.forget(self._period)


class CircuitBreaker:
    """Opens when half of the last 5 to 20 calls failed. A probe follows after 5 s, doubling per failure to 300 s.

    Args:
        probe_deadline: Seconds after which a probe that has not reported is replaced.
        clock: Returns monotonic seconds.
        chance: Source of the ±20 % jitter of delays.
    """

    def __init__(
        self, *, probe_deadline: float = 120.0, clock: Clock = loop_time, chance: random.Random | None = None
    ) -> None:
        self._clock = clock
        self._chance = chance or random.Random()
        self._probe_deadline = probe_deadline
        self._recent: deque[bool] = deque(maxlen=WINDOW_CALLS)
        # Every opening and every probe begins a new period; calls of earlier periods are ignored.
        self._period = 0
        self._open_for = 0.0
        self._next_probe: float | None = None
        self._probing = False
        self.opened = 0

    @property
    def state(self) -> BreakerState:
        """Return closed, open, or half-open while a probe is in progress."""
        if self._next_probe is None:
            return "closed"
        return "half-open" if self._probing else "open"

    def delay(self) -> float:
        """Return the seconds until a call may be made; 0 if closed or due for a probe."""
        return 0.0 if self._next_probe is None else max(0.0, self._next_probe - self._clock())

    def admit(self) -> Permit | None:
        """Return a permit for a call now, or None."""
        if self.delay() > 0:
            return None
        if self._next_probe is not None:
            self._period += 1
            self._probing = True
            # A probe that never reports must not block the endpoint forever.
            self._next_probe = self._clock() + self._probe_deadline
        return Permit(self, self._period)

    def ended(self, period: int, *, failed: bool) -> None:
        """Record the end of a call."""
        if period != self._period:
            return
        if self._next_probe is not None:
            self._open() if failed else self._close()
            return
        self._recent.append(failed)
        if len(self._recent) >= MIN_CALLS and sum(self._recent) >= MAX_FAILURE_SHARE * len(self._recent):
            self._open()

    def lives(self, period: int) -> None:
        """Record a reply of a kind that is not counted; a probe succeeds."""
        if period == self._period and self._next_probe is not None:
            self._close()

    def forget(self, period: int) -> None:
        """Record a cancelled call; if it was the probe, the next call is the probe."""
        if period == self._period and self._next_probe is not None:
            self._next_probe = self._clock()
            self._probing = False

    def _open(self) -> None:
        self._open_for = min(MAX_OPEN_SECONDS, self._open_for * 2 or FIRST_OPEN_SECONDS)
        spread = self._chance.uniform(1 - SPREAD, 1 + SPREAD)
        self._next_probe = self._clock() + self._open_for * spread
        self._probing = False
        self._recent.clear()
        self._period += 1
        self.opened += 1

    def _close(self) -> None:
        self._next_probe = None
        self._probing = False
        self._open_for = 0.0
        self._recent.clear()
        self._period += 1

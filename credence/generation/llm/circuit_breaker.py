"""A circuit breaker: it stops calls to a failing endpoint, and lets a single probe find out when it is back."""

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
    """Leave to make one call. Exactly one of its methods is called when the call has ended."""

    def __init__(self, breaker: "CircuitBreaker", period: int) -> None:
        self._breaker, self._period = breaker, period

    def ok(self) -> None:
        """The endpoint did its work."""
        self._breaker.ended(self._period, failed=False)

    def failed(self) -> None:
        """The endpoint did not: 5xx, network, deadline, envelope."""
        self._breaker.ended(self._period, failed=True)

    def ignored(self) -> None:
        """The endpoint lives and says no (429, 4xx) or answers badly: not counted, though it ends a probe well."""
        self._breaker.lives(self._period)

    def cancelled(self) -> None:
        """We gave up the call ourselves: nothing is known."""
        self._breaker.forget(self._period)


class CircuitBreaker:
    """Opens when half of the last calls failed; the time to the next probe doubles with each failed one."""

    def __init__(
        self, *, probe_deadline: float = 120.0, clock: Clock = loop_time, chance: random.Random | None = None
    ) -> None:
        self._clock = clock
        self._chance = chance or random.Random()
        self._probe_deadline = probe_deadline
        self._recent: deque[bool] = deque(maxlen=WINDOW_CALLS)
        # Every opening and every probe begins a new period; a call of an earlier one has no say any more.
        self._period = 0
        self._open_for = 0.0
        self._next_probe: float | None = None
        self._probing = False
        self.opened = 0

    @property
    def state(self) -> BreakerState:
        """Closed, open, or half-open while a probe is out."""
        if self._next_probe is None:
            return "closed"
        return "half-open" if self._probing else "open"

    def delay(self) -> float:
        """Seconds until a call may be made: 0 when closed or due for a probe."""
        return 0.0 if self._next_probe is None else max(0.0, self._next_probe - self._clock())

    def admit(self) -> Permit | None:
        """Leave to call now, or None."""
        if self.delay() > 0:
            return None
        if self._next_probe is not None:
            self._period += 1
            self._probing = True
            # A probe that never reports must not keep the endpoint closed for ever.
            self._next_probe = self._clock() + self._probe_deadline
        return Permit(self, self._period)

    def ended(self, period: int, *, failed: bool) -> None:
        """Count the end of a call."""
        if period != self._period:
            return
        if self._next_probe is not None:
            self._open() if failed else self._close()
            return
        self._recent.append(failed)
        if len(self._recent) >= MIN_CALLS and sum(self._recent) >= MAX_FAILURE_SHARE * len(self._recent):
            self._open()

    def lives(self, period: int) -> None:
        """A call got an answer of a kind that is not counted."""
        if period == self._period and self._next_probe is not None:
            self._close()

    def forget(self, period: int) -> None:
        """A call was given up; if it was the probe, the next caller is the probe."""
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

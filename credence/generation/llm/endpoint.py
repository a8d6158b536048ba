"""One provider with everything that guards it: limits, concurrency, breaker, retry budget, price, deadline."""

import asyncio
import logging
import math
import random
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from fractions import Fraction

from credence.core.errors import InputError
from credence.generation.llm.adaptive_concurrency import AdaptiveConcurrency
from credence.generation.llm.budget import Budget, Reservation
from credence.generation.llm.circuit_breaker import CircuitBreaker, Permit
from credence.generation.llm.messages import Reply, Request
from credence.generation.llm.metrics import LlmMetrics
from credence.generation.llm.notifier import Clock, loop_time
from credence.generation.llm.prices import Price, input_tokens
from credence.generation.llm.provider import Provider
from credence.generation.llm.rate_limit_headers import parse_rate_limit_headers
from credence.generation.llm.rate_limiter import RateLimiter, RateTicket
from credence.generation.llm.retry import MAX_SLEEP_SECONDS, RetryBudget, is_endpoint_failure, is_overload, was_not_sent

DEADLINE_SECONDS = 120.0
# The provider cuts at its deadline; this is the second cut, should it not.
GRACE_SECONDS = 0.5
ANSWERS = {"ok", "truncated", "refusal", "empty"}

MEANING = {
    "http_401": "its key was refused",
    "http_402": "its account is out of money",
    "http_403": "its key may not do this",
    "http_404": "its model or its base_url does not exist",
    "http_429": "its quota is used up",
}


@dataclass(frozen=True)
class SentCall:
    """A call that was sent: the reply, its cost in nanodollars, and the reservation that the cost settles."""

    reply: Reply
    cost: int
    reservation: str | None


OnLateReply = Callable[[SentCall], None]

_log = logging.getLogger(__name__)


class EndpointClosed(Exception):
    """The endpoint closed, or its retries were used up, while the call waited for its turn; nothing was sent."""


class Endpoint:
    """A provider as the dispatcher sees it."""

    def __init__(
        self,
        provider: Provider,
        price: Price,
        budget: Budget,
        *,
        meters: LlmMetrics | None = None,
        clock: Clock = loop_time,
        chance: random.Random | None = None,
    ) -> None:
        self.provider, self.price = provider, price
        self.deadline = float(getattr(provider, "total_seconds", DEADLINE_SECONDS))
        limits = provider.limits
        self.limiter = RateLimiter(limits.rpm, limits.tpm, clock=clock)
        self.concurrency = AdaptiveConcurrency(requests_per_minute=limits.rpm, most=limits.in_flight)
        self.breaker = CircuitBreaker(probe_deadline=self.deadline + 2 * GRACE_SECONDS, clock=clock, chance=chance)
        self.retries = RetryBudget(clock)
        self.stopped: str | None = None
        self.throttled = 0
        # When it last answered, or else when it was first called.
        self.heard: float | None = None
        self._budget, self._meters, self._clock = budget, meters, clock
        self._rests_until = 0.0
        # Calls that came here and were not sent yet: they wait for a place, for money or for a limit.
        self._ahead = 0
        self._stretch = Fraction(1)

    @property
    def name(self) -> str:
        """The provider's name."""
        return self.provider.name

    def delay(self) -> float:
        """Seconds until it may be called, as far as is known."""
        opens = self.breaker.delay()
        if self.breaker.state == "half-open":
            # The probe is out and will report long before its deadline: wait for it rather than put items off.
            opens = min(opens, MAX_SLEEP_SECONDS)
        return max(opens, self.is_resting())

    def is_resting(self) -> float:
        """Seconds for which it asked to be left alone."""
        return max(0.0, self._rests_until - self._clock())

    def wait(self, request: Request) -> float:
        """Seconds until its limits let the call go, after those that were here before."""
        return self.limiter.delay(self._tokens(request), self._ahead)

    def rest(self, seconds: float) -> None:
        """Call nobody here for so many seconds: the endpoint asked for it."""
        self._rests_until = max(self._rests_until, self._clock() + seconds)

    def stop(self, why: str, said: str | None) -> None:
        """Call nobody here any more: every further call would end the same way."""
        self.stopped = f"{self.name} was stopped: {MEANING.get(why, why)}{f' ({said})' if said else ''}"
        _log.error("%s", self.stopped)

    def max_cost(self, request: Request) -> int:
        """Nanodollars that a call may cost, made larger where an earlier call cost more than was thought possible."""
        return math.ceil(self._estimate(request) * self._stretch)

    def _estimate(self, request: Request) -> int:
        return self.price.most(self.provider.with_max_tokens(request))

    def _tokens(self, request: Request) -> int:
        roomy = self.provider.with_max_tokens(request)
        return input_tokens(roomy) + roomy.max_tokens

    def update_metrics(self) -> None:
        """Let the meters say how it stands."""
        if self._meters:
            self._meters.stands(self.name, self.concurrency.in_flight, self.breaker.state, self._budget.remaining)

    def addressed(self, request: Request) -> Request:
        """The request as it is sent to this provider."""
        if (request.provider, request.model) == (self.name, self.provider.model):
            return request
        return request.model_copy(update={"provider": self.name, "model": self.provider.model})

    def rate(self) -> float | None:
        """Calls per second that limits and latency allow now; None where neither is known."""
        latency = self.concurrency.mean_latency()
        known = [self.limiter.requests / 60] if self.limiter.requests else []
        known += [self.concurrency.limit / latency] if latency else []
        return min(known, default=None)

    async def call(self, request: Request, *, retry: bool, lost: OnLateReply) -> SentCall:
        """Make one call in its turn.

        Raises Away when the endpoint takes no more meanwhile, and Spent when the money is gone. A call that is given
        up after it was sent is reported to `lost` with the cost that it is charged with.
        """
        async with AsyncExitStack() as slot:
            with self._queue():
                period = await slot.enter_async_context(self.concurrency.slot())
                hold = await self._budget.reserve(self.max_cost(request), request.id)
                try:
                    ticket, permit = await self._turn(request, retry)
                except BaseException:
                    hold.release()
                    raise
            # From here on the call counts as sent: nothing may be awaited in between.
            self.retries.call(retry=retry)
            self.heard = self._clock() if self.heard is None else self.heard
            try:
                reply = await self._send(request)
            except InputError:
                permit.cancelled()
                hold.release()
                raise
            except BaseException:
                permit.cancelled()
                lost(SentCall(Reply(kind="deadline", error_type="cancelled"), hold.settle_in_full(), hold.name))
                raise
            self._learn(reply, permit, period, ticket)
            return SentCall(reply, self._settle(request, hold, reply), hold.name)

    @contextmanager
    def _queue(self) -> Iterator[None]:
        self._ahead += 1
        try:
            yield
        finally:
            self._ahead -= 1

    async def _turn(self, request: Request, retry: bool) -> tuple[RateTicket, Permit]:
        began = self._clock()
        ticket = await self.limiter.reserve(self._tokens(request))
        if self._meters:
            self._meters.waited(self.name, self._clock() - began, self.limiter.utilisation())
        away = self.stopped or self.delay() > 0 or (retry and not self.retries.allows())
        permit = None if away else self.breaker.admit()
        if permit is None:
            self.limiter.release(ticket)
            raise EndpointClosed
        self.update_metrics()
        return ticket, permit

    async def _send(self, request: Request) -> Reply:
        began = self._clock()
        try:
            async with asyncio.timeout(self.deadline + GRACE_SECONDS):
                return await self.provider.complete(request)
        except TimeoutError:
            return Reply(kind="deadline", latency=self._clock() - began, error_type="total_seconds")

    def _learn(self, reply: Reply, permit: Permit, period: int, ticket: RateTicket) -> None:
        if is_endpoint_failure(reply):
            permit.failed()
        elif reply.kind == "ok":
            permit.ok()
        else:
            permit.ignored()
        if is_overload(reply):
            self.throttled += reply.status == 429
            self.concurrency.overloaded(period)
        elif reply.kind in ANSWERS:
            self.heard = self._clock()
            self.concurrency.succeeded(reply.latency)
        self.limiter.apply_limits(parse_rate_limit_headers(reply.headers))
        if reply.usage:
            self.limiter.settle(ticket, reply.usage.input + reply.usage.output)
        if reply.retry_after:
            self.rest(reply.retry_after)

    def _settle(self, request: Request, hold: Reservation, reply: Reply) -> int:
        if reply.usage:
            cost = self.price.cost(reply.usage)
            if estimate := self._estimate(request):
                self._stretch = max(self._stretch, Fraction(cost, estimate))
            return hold.settle(cost)
        # A refusal with a status is not billed; an answer that got lost or that nobody counted may be.
        if was_not_sent(reply) or reply.kind == "http":
            return hold.settle(0)
        return hold.settle_in_full()

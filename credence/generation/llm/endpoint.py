"""One provider with its policies: rate limits, concurrency, circuit breaker, retry budget, price, deadline."""

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
# The provider stops at its deadline; this is added for a second timeout, in case it does not.
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
    """A call that was sent: the reply, its cost in nanodollars, and the name of the reservation it settles."""

    reply: Reply
    cost: int
    reservation: str | None


OnLateReply = Callable[[SentCall], None]

_log = logging.getLogger(__name__)


class EndpointClosed(Exception):
    """The endpoint closed, or its retry budget was used up, while the call waited. Nothing was sent."""


class Endpoint:
    """A provider with its policies.

    Args:
        budget: Where the cost of calls is reserved.
        clock: Returns monotonic seconds.
        chance: Source of jitter.
    """

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
        self.heard: float | None = None  # time of its last answer, or else of its first call
        self._budget, self._meters, self._clock = budget, meters, clock
        self._rests_until = 0.0
        self._ahead = 0  # calls that wait for concurrency, for money or for the rate limit
        self._stretch = Fraction(1)

    @property
    def name(self) -> str:
        """Return the provider's name."""
        return self.provider.name

    def delay(self) -> float:
        """Return the seconds until it may be called, by breaker and requested pauses; 0 for now."""
        opens = self.breaker.delay()
        if self.breaker.state == "half-open":
            # The probe reports long before its deadline: wait for it rather than defer items.
            opens = min(opens, MAX_SLEEP_SECONDS)
        return max(opens, self.is_resting())

    def is_resting(self) -> float:
        """Return the seconds left of a pause that the endpoint asked for."""
        return max(0.0, self._rests_until - self._clock())

    def wait(self, request: Request) -> float:
        """Return the seconds until the rate limit allows the call, behind those already waiting."""
        return self.limiter.delay(self._tokens(request), self._ahead)

    def rest(self, seconds: float) -> None:
        """Pause calls for this many seconds, because the endpoint asked for it."""
        self._rests_until = max(self._rests_until, self._clock() + seconds)

    def stop(self, why: str, said: str | None) -> None:
        """Stop calling this endpoint, because every further call would fail in the same way.

        Args:
            why: A reason such as http_401.
            said: The error type that the server sent.
        """
        self.stopped = f"{self.name} was stopped: {MEANING.get(why, why)}{f' ({said})' if said else ''}"
        _log.error("%s", self.stopped)

    def max_cost(self, request: Request) -> int:
        """Return the maximum cost of a call in nanodollars; raised if an earlier call exceeded its estimate."""
        return math.ceil(self._estimate(request) * self._stretch)

    def _estimate(self, request: Request) -> int:
        return self.price.most(self.provider.with_max_tokens(request))

    def _tokens(self, request: Request) -> int:
        full = self.provider.with_max_tokens(request)
        return input_tokens(full) + full.max_tokens

    def update_metrics(self) -> None:
        """Export concurrency, breaker state and remaining budget."""
        if self._meters:
            self._meters.stands(self.name, self.concurrency.in_flight, self.breaker.state, self._budget.remaining)

    def addressed(self, request: Request) -> Request:
        """Return the request with this provider's name and model."""
        if (request.provider, request.model) == (self.name, self.provider.model):
            return request
        return request.model_copy(update={"provider": self.name, "model": self.provider.model})

    def rate(self) -> float | None:
        """Return the calls per second that limits and latency allow now; None if neither is known."""
        latency = self.concurrency.mean_latency()
        known = [self.limiter.requests / 60] if self.limiter.requests else []
        known += [self.concurrency.limit / latency] if latency else []
        return min(known, default=None)

    async def call(self, request: Request, *, retry: bool, lost: OnLateReply) -> SentCall:
        """Make one call when concurrency, budget and rate limit allow it.

        Args:
            request: The request, addressed to this provider.
            retry: Whether it counts against the retry budget.
            lost: Called if the call is cancelled after it was sent, with the cost charged for it.

        Raises:
            EndpointClosed: The endpoint closed, or its retry budget was used up, while the call waited.
            BudgetExhausted: The budget does not pay for the call.
        """
        async with AsyncExitStack() as slot:
            with self._queue():
                period = await slot.enter_async_context(self.concurrency.slot())
                reservation = await self._budget.reserve(self.max_cost(request), request.id)
                try:
                    ticket, permit = await self._admit(request, retry)
                except BaseException:
                    reservation.release()
                    raise
            # From here on the call counts as sent: nothing may be awaited before it is.
            self.retries.call(retry=retry)
            self.heard = self._clock() if self.heard is None else self.heard
            try:
                reply = await self._send(request)
            except InputError:
                permit.cancelled()
                reservation.release()
                raise
            except BaseException:
                permit.cancelled()
                cancelled = Reply(kind="deadline", error_type="cancelled")
                lost(SentCall(cancelled, reservation.settle_in_full(), reservation.name))
                raise
            self._update_policies(reply, permit, period, ticket)
            return SentCall(reply, self._settle(request, reservation, reply), reservation.name)

    @contextmanager
    def _queue(self) -> Iterator[None]:
        self._ahead += 1
        try:
            yield
        finally:
            self._ahead -= 1

    async def _admit(self, request: Request, retry: bool) -> tuple[RateTicket, Permit]:
        began = self._clock()
        ticket = await self.limiter.reserve(self._tokens(request))
        if self._meters:
            self._meters.waited(self.name, self._clock() - began, self.limiter.utilisation())
        closed = self.stopped or self.delay() > 0 or (retry and not self.retries.allows())
        permit = None if closed else self.breaker.admit()
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

    def _update_policies(self, reply: Reply, permit: Permit, period: int, ticket: RateTicket) -> None:
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

    def _settle(self, request: Request, reservation: Reservation, reply: Reply) -> int:
        if reply.usage:
            cost = self.price.cost(reply.usage)
            if estimate := self._estimate(request):
                self._stretch = max(self._stretch, Fraction(cost, estimate))
            return reservation.settle(cost)
        # An HTTP error is not billed; a lost reply, or one without token counts, may be.
        if was_not_sent(reply) or reply.kind == "http":
            return reservation.settle(0)
        return reservation.settle_in_full()

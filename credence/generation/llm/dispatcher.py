"""The retry loop: send an item to an available endpoint until it is answered, given up or deferred."""

import asyncio
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from credence.core.errors import InputError, did_you_mean
from credence.generation.llm.budget import Budget, BudgetExhausted
from credence.generation.llm.circuit_breaker import BreakerState
from credence.generation.llm.endpoint import Endpoint, EndpointClosed, SentCall
from credence.generation.llm.messages import Request
from credence.generation.llm.metrics import LlmMetrics
from credence.generation.llm.notifier import Clock, Notifier, loop_time
from credence.generation.llm.prices import Price, price_of
from credence.generation.llm.provider import Provider
from credence.generation.llm.retry import MAX_SLEEP_SECONDS, ReplyAction, retry_delay
from credence.generation.llm.work_item import CallAttempt, FailureCounts, ItemResult, JudgedReply, ReplyParser, WorkItem


@dataclass(frozen=True)
class EndpointStatus:
    """The state of an endpoint, for progress display.

    Attributes:
        name: The provider's name.
        in_flight: Calls in progress.
        limit: Calls that may be in progress now.
        breaker: State of its circuit breaker.
        opened: How often the breaker has opened.
        throttled: Number of 429 replies.
        utilisation: Share of its rate limit in use, 0 to 1.
        rate: Calls per second that its limits and latency allow; None if neither is known.
        rests: Seconds left of a pause that it asked for.
        stopped: Why it is not called any more; None if it is.
    """

    name: str
    in_flight: int
    limit: int
    breaker: BreakerState
    opened: int
    throttled: int
    utilisation: float
    rate: float | None
    rests: float
    stopped: str | None


class Dispatcher:
    """Sends requests to providers, within one budget."""

    def __init__(
        self,
        providers: Sequence[Provider],
        budget: Budget,
        *,
        failover: bool,
        prices: Mapping[str, Price] | None = None,
        on_attempt: Callable[[CallAttempt], None] | None = None,
        meters: LlmMetrics | None = None,
        clock: Clock = loop_time,
        chance: random.Random | None = None,
    ) -> None:
        """Create an endpoint for each provider.

        Args:
            providers: With failover, a provider is replaced by those after it, then by those before it.
            budget: Shared by all providers.
            failover: Whether another provider may replace a failing one. Never for raters: each model is one rater.
            prices: Prices by provider name or by model, for models that the price file does not have.
            on_attempt: Called with every completed or cancelled call; must not block.
            meters: Metrics to update.
            clock: Returns monotonic seconds.
            chance: Source of jitter.

        Raises:
            InputError: There is no provider, two have the same name, or a price is unknown.
        """
        self.budget, self.failover = budget, failover
        self._on_attempt, self._meters, self._clock = on_attempt, meters, clock
        self._changed = Notifier()
        self._chance = chance or random.Random()
        own = prices or {}
        names = [p.name for p in providers]
        if len(set(names)) < len(names) or not names:
            raise InputError(f"providers: {names} were given; expected one or more, each with a name of its own.")
        priced = [(p, own.get(p.name) or own.get(p.model) or price_of(p.model)) for p in providers]
        self.endpoints = {
            p.name: Endpoint(p, cost, budget, meters=meters, clock=clock, chance=self._chance) for p, cost in priced
        }

    def check(self, request: Request) -> None:
        """Check that a request could be sent.

        Raises:
            InputError: The provider is unknown, or the whole budget would not pay for this call.
        """
        for endpoint in self._order(request.provider):
            self.budget.check(endpoint.max_cost(request), endpoint.provider.model)

    async def call(
        self, request: Request, *, slot: str, read: ReplyParser | None = None, tally: FailureCounts | None = None
    ) -> ItemResult:
        """Call until there is a reply that `read` accepts, or a reason why there is none.

        Args:
            request: Its provider is called first.
            slot: The name under which attempts are recorded.
            read: Parses the text of a reply, or raises UnusableReply.
            tally: Failures counted by an earlier call for the same item, if it was deferred.

        Raises:
            InputError: The provider is unknown, or the whole budget would not pay for this call.
        """
        self.check(request)
        item = WorkItem(request, slot, read, tally or FailureCounts(), self._order(request.provider))
        while item.outcome is None:
            if endpoint := await self._next_endpoint(item):
                await self._attempt(item, endpoint)
        if self._meters and item.outcome.end in ("ok", "quarantine"):
            self._meters.tried(len(item.attempts))
        return item.outcome

    def standing(self) -> list[EndpointStatus]:
        """Return the state of every endpoint."""
        return [
            EndpointStatus(
                name=e.name,
                in_flight=e.concurrency.in_flight,
                limit=e.concurrency.limit,
                breaker=e.breaker.state,
                opened=e.breaker.opened,
                throttled=e.throttled,
                utilisation=e.limiter.utilisation(),
                rate=e.rate(),
                rests=e.is_resting(),
                stopped=e.stopped,
            )
            for e in self.endpoints.values()
        ]

    def silence(self) -> float:
        """Return the seconds since any endpoint last answered, or since the first call; 0 before it."""
        heard = [e.heard for e in self.endpoints.values() if e.heard is not None]
        return self._clock() - max(heard) if heard else 0.0

    def _order(self, first: str) -> list[Endpoint]:
        if first not in self.endpoints:
            raise InputError(f"no provider is called {first!r}. {did_you_mean(first, self.endpoints)}")
        names = list(self.endpoints)
        place = names.index(first)
        return [self.endpoints[n] for n in (names[place:] + names[:place] if self.failover else [first])]

    async def _next_endpoint(self, item: WorkItem) -> Endpoint | None:
        """Return the endpoint to call now; None after a wait, or after ending the item."""
        if not (left := item.candidates()):
            item.end("stopped", "; ".join(e.stopped or "" for e in item.order))
            return None
        if not (left := [e for e in left if not item.retrying or e.retries.allows()]):
            item.end("later", "retry budget", after=retry_delay(item.tally.transport, self._chance))
            return None
        delays = [e.delay() for e in left]
        if (soonest := min(delays)) <= 0:
            able = [e for e, delay in zip(left, delays, strict=True) if delay <= 0]
            return min(able, key=lambda e: e.wait(item.request))
        if soonest > MAX_SLEEP_SECONDS:
            item.end("later", "unavailable", after=soonest)
        else:
            await self._changed.wait(soonest)
        return None

    async def _attempt(self, item: WorkItem, endpoint: Endpoint) -> None:
        request = endpoint.addressed(item.request)

        def lost(called: SentCall) -> None:
            self._record(item, request, called, JudgedReply(ReplyAction.RETRY, "cancelled"))

        try:
            called = await endpoint.call(request, retry=item.retrying, lost=lost)
            judged = self._judged(item, request, called)
            wait = item.follow(endpoint, called.reply, judged, self._chance)
        except EndpointClosed:
            return
        except BudgetExhausted:
            item.end("spent", "budget")
            return
        finally:
            endpoint.update_metrics()
            self._changed.notify_all()
        await asyncio.sleep(wait)

    def _judged(self, item: WorkItem, request: Request, called: SentCall) -> JudgedReply:
        judged = JudgedReply(ReplyAction.RETRY, "unread")
        try:
            judged = item.judge(called.reply)
        finally:
            # If the parser itself fails, the run ends; the call must be recorded because it was paid for.
            self._record(item, request, called, judged)
        return judged

    def _record(self, item: WorkItem, request: Request, called: SentCall, judged: JudgedReply) -> None:
        number = len(item.attempts) + 1
        attempt = CallAttempt(
            item.slot, number, request, called.reply, judged.verdict, judged.reason, called.cost, called.reservation
        )
        item.attempts.append(attempt)
        if self._meters:
            self._meters.called(request.provider, request.model, called.reply, judged.reason, called.cost)
        if self._on_attempt:
            self._on_attempt(attempt)

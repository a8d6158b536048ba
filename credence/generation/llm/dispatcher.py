"""The one retry loop: an item goes to an endpoint that can take it until it is answered, given up or put off."""

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
    """How an endpoint does, for people to watch.

    `rate`: calls per second that its limits and latency allow. `rests`: seconds for which it asked to be left alone.
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
    """Providers in order of preference, one budget, one way to ask."""

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
        """Make an endpoint of each provider.

        Args:
            providers: the stand-ins of each provider are those after it, then those before it.
            budget: shared by all.
            failover: whether another provider may stand in. Never for raters: another model is another rater.
            prices: of providers by their names, or of models that the price file does not have.
            on_attempt: is told every call that has ended or was given up, and must not wait.
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
        """Raise BadInput where the provider is unknown or the whole budget would not pay for this one call."""
        for endpoint in self._order(request.provider):
            self.budget.check(endpoint.max_cost(request), endpoint.provider.model)

    async def call(
        self, request: Request, *, slot: str, read: ReplyParser | None = None, tally: FailureCounts | None = None
    ) -> ItemResult:
        """Ask until there is an answer that `read` accepts, or a reason why there is none.

        Args:
            request: its provider is the first to be asked.
            slot: what the attempts are recorded under.
            read: makes a value of the text, or raises Unusable.
            tally: what an earlier outcome counted, when the item comes back from the queue.
        """
        self.check(request)
        item = WorkItem(request, slot, read, tally or FailureCounts(), self._order(request.provider))
        while item.outcome is None:
            if endpoint := await self._ready(item):
                await self._attempt(item, endpoint)
        if self._meters and item.outcome.end in ("ok", "quarantine"):
            self._meters.tried(len(item.attempts))
        return item.outcome

    def standing(self) -> list[EndpointStatus]:
        """How every endpoint does."""
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
        """Seconds since any endpoint last answered, or since the first call: a run that hears nothing should end."""
        heard = [e.heard for e in self.endpoints.values() if e.heard is not None]
        return self._clock() - max(heard) if heard else 0.0

    def _order(self, first: str) -> list[Endpoint]:
        if first not in self.endpoints:
            raise InputError(f"no provider is called {first!r}. {did_you_mean(first, self.endpoints)}")
        names = list(self.endpoints)
        place = names.index(first)
        return [self.endpoints[n] for n in (names[place:] + names[:place] if self.failover else [first])]

    async def _ready(self, item: WorkItem) -> Endpoint | None:
        """The endpoint whose turn it is; None after a wait, or when there is nothing to wait for."""
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
            # A reader that fails ends the run, but the call was made and is paid for.
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

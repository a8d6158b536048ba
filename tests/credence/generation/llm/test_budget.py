"""The budget: a thousand random runs, and never a billionth of a dollar too much."""

import asyncio
import random

import pytest

from credence.core.errors import InputError
from credence.generation.llm.budget import Budget, BudgetExhausted
from credence.generation.llm.dispatcher import Dispatcher
from credence.generation.llm.messages import Reply, Request, Usage
from credence.generation.llm.prices import DOLLAR, Price, input_tokens
from credence.generation.llm.work_item import CallAttempt, ItemResult
from tests.fakes.virtual_clock import Remembered, http, played, playing, request

PRICE = Price(input=1, cached=0.1, output=7)


def any_reply(asked: Request, chance: random.Random) -> Reply:
    """What an endpoint may do: answer, answer badly, fail with and without usage, get lost."""
    kind = chance.choice(
        ["ok"] * 6 + ["truncated", "empty", "refusal", "network", "deadline", "envelope", "429", "500"]
    )
    known = input_tokens(asked)
    usage = Usage(input=known, output=chance.randint(0, asked.max_tokens), cached=chance.randint(0, known))
    latency = chance.uniform(0.1, 5)
    if kind.isdigit():
        return http(int(kind), usage=chance.choice([usage, None]))
    counted = None if kind in ("network", "deadline") else chance.choice([usage, usage, None])
    return Reply(kind=kind, text="yes", usage=counted, latency=latency)  # type: ignore[arg-type]


class Run:
    """One simulated run: some calls at a time against an endpoint that does anything, with a limit on its money."""

    def __init__(self, seed: int) -> None:
        chance = random.Random(seed)
        provider = playing(lambda asked, _: any_reply(asked, chance))
        most = PRICE.most(request())
        self.limit = most + chance.randint(0, 30 * most)
        self.budget = Budget(self.limit / DOLLAR)
        self.attempts: list[CallAttempt] = []
        self.highest = 0
        self.dispatcher = Dispatcher(
            [provider],
            self.budget,
            failover=False,
            prices={"arithmetic": PRICE},
            on_attempt=self.saw,
            chance=random.Random(seed),
        )
        self.provider, self.chance = provider, chance

    def saw(self, attempt: CallAttempt) -> None:
        self.attempts.append(attempt)
        self.highest = max(self.highest, self.budget.spent + self.budget.reserved)

    async def play(self) -> list[ItemResult]:
        async def one(ordinal: int) -> ItemResult:
            await asyncio.sleep(self.chance.uniform(0, 10))
            return await self.dispatcher.call(request(sample=ordinal), slot=str(ordinal))

        tasks = [asyncio.create_task(one(ordinal)) for ordinal in range(self.chance.randint(1, 25))]
        if self.chance.random() < 0.3:
            await asyncio.sleep(self.chance.uniform(0, 12))
            for task in self.chance.sample(tasks, len(tasks) // 2):
                task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(e, ItemResult | asyncio.CancelledError) for e in ended), ended
        return [e for e in ended if isinstance(e, ItemResult)]


@pytest.mark.parametrize("runs", [100, pytest.param(1000, marks=pytest.mark.slow)])
def test_no_run_overshoots_and_every_call_is_accounted_for(runs: int) -> None:
    stopped = 0
    for seed in range(runs):
        run = Run(seed)
        outcomes = played(run.play())
        assert run.highest <= run.limit and run.budget.spent <= run.limit, seed
        assert run.budget.reserved == 0, seed
        assert sum(a.cost for a in run.attempts) == run.budget.spent, seed
        assert len(run.attempts) == len(run.provider.requests), seed
        if any(o.end == "spent" for o in outcomes):
            stopped += 1
            # One more call did not fit, and not a moment sooner; after a truncated one, a call of twice the length.
            assert run.limit - run.budget.spent < PRICE.most(request(max_tokens=200)), seed
    assert stopped > 0.3 * runs


def test_a_budget_too_small_for_one_call_is_said_before_any_call() -> None:
    provider = playing([Reply(kind="ok", text="yes")])
    dispatcher = Dispatcher([provider], Budget(0.0001), failover=False, prices={"arithmetic": PRICE})
    with pytest.raises(InputError, match=r"budget_usd is \$0.0001, and a single call to arithmetic may cost \$0.0008"):
        dispatcher.check(request())
    with pytest.raises(InputError, match="raise budget_usd, lower max_tokens or choose a cheaper model"):
        played(dispatcher.call(request(), slot="a"))
    assert provider.requests == []


@pytest.mark.parametrize("wrong", [-1.0, float("nan"), float("inf")])
def test_a_budget_is_a_number_of_dollars(wrong: float) -> None:
    with pytest.raises(InputError, match="expected a number of dollars from 0 up"):
        Budget(wrong)


def test_without_a_limit_everything_fits_and_is_still_counted() -> None:
    budget = Budget()
    hold = played(budget.reserve(10**15))
    hold.settle(7)
    assert budget.spent == 7 and budget.remaining is None and not budget.nearly_spent


def test_it_waits_for_calls_in_flight_before_it_gives_up() -> None:
    async def run() -> int:
        budget = Budget(10 / DOLLAR)
        first = await budget.reserve(10)
        waiting = asyncio.create_task(budget.reserve(4))
        await asyncio.sleep(1)
        first.settle(6)
        second = await waiting
        with pytest.raises(RuntimeError, match="settled before"):
            first.settle(1)
        second.settle_in_full()
        with pytest.raises(BudgetExhausted):
            await budget.reserve(1)
        return budget.spent

    assert played(run()) == 10


def test_it_warns_at_four_fifths() -> None:
    budget = Budget(10 / DOLLAR, spent=7)
    assert not budget.nearly_spent and budget.remaining == 3
    played(budget.reserve(1)).settle(1)
    assert budget.nearly_spent


def test_reservations_are_in_the_journal_before_the_call_and_named_in_the_attempt() -> None:
    journal, seen, attempts = Remembered(), list[int](), list[CallAttempt]()

    def behave(asked: Request, _: int) -> Reply:
        seen.append(sum(journal.held.values()))
        return Reply(kind="ok", text="yes", usage=Usage(input=1, output=1))

    dispatcher = Dispatcher(
        [playing(behave)],
        Budget(1, journal=journal),
        failover=False,
        prices={"arithmetic": PRICE},
        on_attempt=attempts.append,
    )
    played(dispatcher.call(request(), slot="a"))
    assert seen == [PRICE.most(request())]
    assert [a.reservation for a in attempts] == list(journal.held)


def test_a_call_that_was_not_made_is_taken_out_of_the_journal() -> None:
    async def run() -> tuple[int, int]:
        journal = Remembered()
        budget = Budget(1, journal=journal)
        (await budget.reserve(5, "a")).release()
        cancelled = asyncio.create_task(budget.reserve(5, "b"))
        await asyncio.sleep(0)
        cancelled.cancel()
        await asyncio.gather(cancelled, return_exceptions=True)
        return len(journal.held), budget.reserved

    assert played(run()) == (0, 0)

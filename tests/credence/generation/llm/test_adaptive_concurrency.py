"""Calls in flight: doubled to get going, raised by one per round trip, halved once per overload."""

import asyncio

import pytest

from credence.generation.llm.adaptive_concurrency import AdaptiveConcurrency
from tests.fakes.virtual_clock import now, played


async def round_trip(concurrency: AdaptiveConcurrency, latency: float = 1.0) -> None:
    """As many calls at once as may be."""

    async def one() -> None:
        async with concurrency.slot():
            await asyncio.sleep(latency)
            concurrency.succeeded(latency)

    await asyncio.gather(*(one() for _ in range(concurrency.limit)))


def test_it_starts_at_four_and_doubles_while_callers_wait() -> None:
    async def run() -> list[int]:
        concurrency, limits = AdaptiveConcurrency(), []

        async def one() -> None:
            async with concurrency.slot():
                await asyncio.sleep(1)
                concurrency.succeeded(1)

        tasks = [asyncio.create_task(one()) for _ in range(400)]
        for _ in range(5):
            await asyncio.sleep(0.5)
            limits.append(concurrency.limit)
            await asyncio.sleep(0.5)
        await asyncio.gather(*tasks)
        return limits

    assert played(run()) == [4, 8, 16, 32, 64]


def test_after_the_first_overload_it_grows_by_one_per_round_trip() -> None:
    async def run() -> list[int]:
        concurrency, limits = AdaptiveConcurrency(start=32), []
        async with concurrency.slot() as period:
            concurrency.overloaded(period)
        for _ in range(8):
            limits.append(concurrency.limit)
            await round_trip(concurrency)
        return limits

    limits = played(run())
    assert limits[0] == 16 and limits == sorted(limits) and 18 <= limits[-1] <= 24


def test_a_burst_of_refusals_halves_it_once() -> None:
    async def run() -> int:
        concurrency = AdaptiveConcurrency(start=64)

        async def refused() -> None:
            async with concurrency.slot() as period:
                await asyncio.sleep(1)
                concurrency.overloaded(period)

        await asyncio.gather(*(refused() for _ in range(64)))
        return concurrency.limit

    assert played(run()) == 32


def test_it_never_falls_below_one() -> None:
    concurrency = AdaptiveConcurrency()
    for period in range(50):
        concurrency.overloaded(period)
    assert concurrency.limit == 1


@pytest.mark.parametrize(
    ("rpm", "latency", "ceiling"), [(60, 1.0, 4), (600, 10.0, 120), (60_000, 10.0, 256), (None, 9.0, 256)]
)
def test_the_ceiling_is_what_the_rate_can_feed(rpm: int | None, latency: float, ceiling: int) -> None:
    concurrency = AdaptiveConcurrency(requests_per_minute=rpm)
    for _ in range(100):
        concurrency.succeeded(latency)
    assert concurrency.ceiling() == ceiling


def test_the_account_s_own_limit_holds() -> None:
    async def run() -> int:
        concurrency = AdaptiveConcurrency(most=10)
        for _ in range(8):
            await round_trip(concurrency)
        return concurrency.limit

    assert played(run()) == 10


def test_a_limit_that_nobody_reaches_does_not_grow() -> None:
    async def run() -> int:
        concurrency = AdaptiveConcurrency()
        for _ in range(50):
            async with concurrency.slot():
                concurrency.succeeded(1.0)
        return concurrency.limit

    assert played(run()) == 4


def test_never_more_than_the_limit_whoever_gives_up() -> None:
    async def run() -> tuple[int, int, float]:
        concurrency, peak = AdaptiveConcurrency(start=3, most=3), 0

        async def one(seconds: float) -> None:
            nonlocal peak
            async with concurrency.slot():
                peak = max(peak, concurrency.in_flight)
                await asyncio.sleep(seconds)

        start = now()
        tasks = [asyncio.create_task(one(1)) for _ in range(12)]
        await asyncio.sleep(0.5)
        for task in tasks[::2]:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return peak, concurrency.in_flight, now() - start

    peak, left, took = played(run())
    assert peak == 3 and left == 0 and took < 3


def test_one_who_gives_up_as_his_turn_comes_passes_it_on() -> None:
    async def run() -> int:
        concurrency = AdaptiveConcurrency(start=1, most=1)

        async def hold() -> None:
            async with concurrency.slot():
                await asyncio.sleep(1)

        first, second, third = (asyncio.create_task(hold()) for _ in range(3))
        await first
        second.cancel()
        await asyncio.gather(second, third, return_exceptions=True)
        return concurrency.in_flight

    assert played(run()) == 0

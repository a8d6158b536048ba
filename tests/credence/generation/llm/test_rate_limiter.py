"""The limiter: a strict server never has a reason for a 429, and hardly any of its allowance goes unused."""

import asyncio
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credence.generation.llm.rate_limit_headers import HeaderLimits, parse_rate_limit_headers
from credence.generation.llm.rate_limiter import MARGIN, WINDOW, RateLimiter
from tests.fakes.virtual_clock import most_in_any, now, played


async def burst(limiter: RateLimiter, calls: int, tokens: int = 0) -> list[float]:
    times: list[float] = []

    async def one() -> None:
        await limiter.reserve(tokens)
        times.append(now())

    await asyncio.gather(*(one() for _ in range(calls)))
    return times


def test_sixty_a_minute_to_the_letter() -> None:
    times = played(burst(RateLimiter(60), 300))
    assert most_in_any(times, WINDOW) == 60
    assert {round(t - times[0], 6) for t in times} == {0, 60.5, 121, 181.5, 242}


def test_a_strict_server_refuses_nothing_and_is_used_to_95_per_cent() -> None:
    chance = random.Random(1)
    arrived: list[float] = []

    async def run() -> float:
        limiter = RateLimiter(60)

        async def worker() -> None:
            for _ in range(15):
                await limiter.reserve()
                await asyncio.sleep(chance.uniform(0, MARGIN))  # the way to the server is never the same
                arrived.append(now())
                await asyncio.sleep(chance.uniform(0.05, 2))

        start = now()
        await asyncio.gather(*(worker() for _ in range(40)))
        return now() - start

    took = played(run())
    assert most_in_any(arrived, WINDOW) <= 60
    assert len(arrived) >= 0.95 * 60 * (took // WINDOW)


@given(
    st.lists(st.tuples(st.integers(0, 300), st.floats(0, 30)), max_size=60), st.integers(1, 10), st.integers(100, 400)
)
def test_no_window_ever_holds_more_than_either_limit(calls: list[tuple[int, float]], rpm: int, tpm: int) -> None:
    sent: list[tuple[float, int]] = []

    async def run() -> None:
        limiter = RateLimiter(rpm, tpm)
        for tokens, gap in calls:
            await asyncio.sleep(gap)
            await limiter.reserve(tokens)
            sent.append((now(), min(tokens, tpm)))

    played(run())
    for start, _ in sent:
        inside = [tokens for time, tokens in sent if start <= time < start + WINDOW]
        assert len(inside) <= rpm and sum(inside) <= tpm


def test_tokens_that_were_not_used_make_room_at_once() -> None:
    async def run() -> float:
        limiter = RateLimiter(None, 1000)
        first = await limiter.reserve(1000)
        start = now()
        waiting = asyncio.create_task(limiter.reserve(600))
        await asyncio.sleep(3)
        limiter.settle(first, 400)
        await waiting
        return now() - start

    assert played(run()) == pytest.approx(3)


def test_a_call_larger_than_the_allowance_goes_alone_and_not_never() -> None:
    times = played(burst(RateLimiter(None, 100), 3, tokens=500))
    assert [round(t - times[0], 6) for t in times] == [0, 60.5, 121]


def test_first_come_first_served_whatever_the_size() -> None:
    async def run() -> list[int]:
        limiter, order = RateLimiter(None, 100), list[int]()
        await limiter.reserve(100)

        async def one(tokens: int) -> None:
            await limiter.reserve(tokens)
            order.append(tokens)

        await asyncio.gather(*(one(t) for t in (90, 1, 2)))
        return order

    assert played(run()) == [90, 1, 2]


def test_a_call_that_was_never_sent_gives_its_place_back() -> None:
    async def run() -> float:
        limiter = RateLimiter(1)
        ticket = await limiter.reserve()
        limiter.release(ticket)
        limiter.release(ticket)
        start = now()
        await limiter.reserve()
        return now() - start

    assert played(run()) == 0


def test_cancelling_the_first_in_line_lets_the_next_go_on() -> None:
    async def run() -> int:
        limiter = RateLimiter(1)
        await limiter.reserve()
        first, second = (asyncio.create_task(limiter.reserve()) for _ in range(2))
        await asyncio.sleep(1)
        first.cancel()
        await second
        return len(limiter._log)

    assert played(run()) == 1


def test_headers_lower_the_limit_and_never_raise_it() -> None:
    limiter = RateLimiter(60, 1000, clock=lambda: 0.0)
    limiter.apply_limits(HeaderLimits(requests=10, tokens=5000))
    assert (limiter.requests, limiter.tokens) == (10, 1000)
    limiter.apply_limits(HeaderLimits(requests=500))
    assert (limiter.requests, limiter.tokens) == (60, 1000)


def test_a_reply_that_says_nothing_of_limits_changes_none() -> None:
    limiter = RateLimiter(60, 1000, clock=lambda: 0.0)
    limiter.apply_limits(HeaderLimits(requests=10, tokens=100))
    limiter.apply_limits(HeaderLimits())
    assert (limiter.requests, limiter.tokens) == (10, 100)


def test_nothing_left_means_nothing_is_sent_until_the_reset() -> None:
    async def run() -> float:
        limiter = RateLimiter(60)
        limiter.apply_limits(HeaderLimits(hold=7.5))
        start = now()
        await limiter.reserve()
        return now() - start

    assert played(run()) == pytest.approx(7.5)


def test_utilisation_is_the_fuller_of_the_two() -> None:
    async def run() -> tuple[float, float]:
        limiter = RateLimiter(10, 100)
        await limiter.reserve(30)
        before = limiter.utilisation()
        await asyncio.sleep(61)
        return before, limiter.utilisation()

    assert played(run()) == (0.3, 0.0)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, HeaderLimits()),
        (
            {"X-RateLimit-Limit-Requests": "60", "x-ratelimit-limit-tokens": "9000"},
            HeaderLimits(requests=60, tokens=9000),
        ),
        ({"anthropic-ratelimit-requests-limit": "50"}, HeaderLimits(requests=50)),
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "1s"}, HeaderLimits(hold=1)),
        ({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "120ms"}, HeaderLimits(hold=0.12)),
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "12"}, HeaderLimits(hold=12)),
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "6m0s"}, HeaderLimits(hold=60)),
        ({"x-ratelimit-remaining-requests": "3", "x-ratelimit-reset-requests": "9s"}, HeaderLimits()),
        ({"x-ratelimit-limit-requests": "many"}, HeaderLimits()),
        ({"x-ratelimit-limit-requests": "0"}, HeaderLimits()),
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "soon"}, HeaderLimits()),
        (
            {
                "Date": "Fri, 20 Nov 2026 10:00:00 GMT",
                "anthropic-ratelimit-tokens-remaining": "0",
                "anthropic-ratelimit-tokens-reset": "2026-11-20T10:00:09Z",
            },
            HeaderLimits(hold=9),
        ),
        (
            {"anthropic-ratelimit-tokens-remaining": "0", "anthropic-ratelimit-tokens-reset": "2026-11-20T10:00:09Z"},
            HeaderLimits(),
        ),
        (
            {
                "date": "Fri, 20 Nov 99999999999 10:00:00 GMT",
                "x-ratelimit-remaining-requests": "0",
                "x-ratelimit-reset-requests": "2026-11-20T10:00:09Z",
            },
            HeaderLimits(),
        ),
    ],
)
def test_headers_are_read(headers: dict[str, str], expected: HeaderLimits) -> None:
    assert parse_rate_limit_headers(headers) == expected


@given(
    st.dictionaries(
        st.sampled_from(
            [
                "x-ratelimit-limit-requests",
                "x-ratelimit-remaining-tokens",
                "date",
                "x-ratelimit-remaining-requests",
                "x-ratelimit-reset-requests",
                "x-ratelimit-reset-tokens",
            ]
        ),
        st.text(),
    )
)
def test_no_header_is_strange_enough_to_stop_us(headers: dict[str, str]) -> None:
    said = parse_rate_limit_headers(headers)
    assert 0 <= said.hold <= 60 and (said.requests is None or said.requests > 0)

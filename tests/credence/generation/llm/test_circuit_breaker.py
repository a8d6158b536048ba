"""The breaker: few calls to open, one probe at a time, and nothing but failures of the endpoint counts."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credence.generation.llm.circuit_breaker import CircuitBreaker, Permit


class Hands:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Hands:
    return Hands()


@pytest.fixture
def breaker(clock: Hands) -> CircuitBreaker:
    return CircuitBreaker(clock=clock, chance=random.Random(1))


def permitted(breaker: CircuitBreaker) -> Permit:
    permit = breaker.admit()
    assert permit is not None
    return permit


def broken(breaker: CircuitBreaker) -> None:
    for _ in range(5):
        permitted(breaker).failed()
    assert breaker.state == "open"


def test_a_dead_endpoint_gets_five_calls(breaker: CircuitBreaker) -> None:
    for _ in range(4):
        permitted(breaker).failed()
        assert breaker.state == "closed"
    permitted(breaker).failed()
    assert breaker.state == "open" and breaker.admit() is None and breaker.opened == 1


def test_an_endpoint_that_fails_four_times_in_five_opens_it(breaker: CircuitBreaker) -> None:
    for call in range(5):
        permit = permitted(breaker)
        permit.ok() if call == 0 else permit.failed()
    assert breaker.state == "open"


def test_a_third_that_fails_is_borne_half_is_not(breaker: CircuitBreaker) -> None:
    for call in range(60):
        permit = permitted(breaker)
        permit.failed() if call % 3 == 2 else permit.ok()
    assert breaker.state == "closed"
    for _ in range(20):
        if permit := breaker.admit():
            permit.failed()
    assert breaker.state == "open"


def test_only_the_last_twenty_calls_count(breaker: CircuitBreaker) -> None:
    for _ in range(500):
        permitted(breaker).ok()
    for _ in range(10):
        permitted(breaker).failed()
    assert breaker.state == "open"


def test_one_of_fifty_is_the_probe(breaker: CircuitBreaker, clock: Hands) -> None:
    broken(breaker)
    clock.now += breaker.delay()
    assert sum(breaker.admit() is not None for _ in range(50)) == 1
    assert breaker.state == "half-open"


def test_the_pause_doubles_up_to_five_minutes_and_starts_again_after_a_success(
    breaker: CircuitBreaker, clock: Hands
) -> None:
    broken(breaker)
    for expected in [5, 10, 20, 40, 80, 160, 300, 300]:
        assert 0.8 * expected <= breaker.delay() <= 1.2 * expected
        clock.now += breaker.delay()
        permitted(breaker).failed()
    clock.now += breaker.delay()
    permitted(breaker).ok()
    assert breaker.state == "closed"
    broken(breaker)
    assert breaker.delay() <= 6


def test_calls_from_before_the_opening_have_no_say(breaker: CircuitBreaker, clock: Hands) -> None:
    late = [permitted(breaker) for _ in range(30)]
    broken(breaker)
    pause = breaker.delay()
    for permit in late[:15]:
        permit.failed()
    assert breaker.delay() == pause and breaker.opened == 1
    clock.now += pause
    probe = permitted(breaker)
    for permit in late[15:]:
        permit.ok()
    assert breaker.state == "half-open"
    probe.ok()
    assert breaker.state == "closed"


def test_a_probe_that_never_reports_is_replaced(breaker: CircuitBreaker, clock: Hands) -> None:
    broken(breaker)
    clock.now += breaker.delay()
    lost = permitted(breaker)
    assert breaker.delay() == 120
    clock.now += 120
    second = permitted(breaker)
    lost.ok()
    assert breaker.state == "half-open"
    second.ok()
    assert breaker.state == "closed"


def test_a_cancelled_probe_makes_room_for_the_next(breaker: CircuitBreaker, clock: Hands) -> None:
    broken(breaker)
    clock.now += breaker.delay()
    permitted(breaker).cancelled()
    assert breaker.state == "open" and breaker.delay() == 0
    permitted(breaker).ok()
    assert breaker.state == "closed"


def test_refusals_and_cancellations_do_not_open_it(breaker: CircuitBreaker) -> None:
    for _ in range(100):
        permitted(breaker).ignored()
        permitted(breaker).cancelled()
    assert breaker.state == "closed" and breaker.opened == 0


def test_an_endpoint_that_says_no_to_the_probe_is_alive(breaker: CircuitBreaker, clock: Hands) -> None:
    broken(breaker)
    clock.now += breaker.delay()
    permitted(breaker).ignored()
    assert breaker.state == "closed"


@given(st.lists(st.tuples(st.sampled_from(["admit", "ok", "failed", "ignored", "cancelled"]), st.floats(0, 400))))
def test_there_is_never_more_than_one_live_probe(steps: list[tuple[str, float]]) -> None:
    clock = Hands()
    breaker = CircuitBreaker(clock=clock, chance=random.Random(0))
    out: list[Permit] = []
    for step, seconds in steps:
        clock.now += seconds
        if step == "admit":
            closed = breaker.state == "closed"
            if permit := breaker.admit():
                out.append(permit)
                if not closed:
                    assert breaker.admit() is None
        elif out:
            getattr(out.pop(0), step)()
        assert (breaker.state == "closed") <= (breaker.delay() == 0)

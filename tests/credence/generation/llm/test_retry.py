"""What follows each kind of reply, how long we wait, and how many retries an endpoint bears."""

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credence.generation.llm.messages import Reply
from credence.generation.llm.retry import (
    ReplyAction,
    RetryBudget,
    failure_reason,
    is_endpoint_failure,
    is_overload,
    judge_reply,
    retry_delay,
    was_not_sent,
)
from tests.fakes.virtual_clock import http, ok

RETRIED = [408, 409, 429, 500, 502, 503, 504, 529]


@pytest.mark.parametrize("status", [*RETRIED, 200])
def test_what_passes_is_tried_again(status: int) -> None:
    assert judge_reply(http(status)) is ReplyAction.RETRY


@pytest.mark.parametrize("status", [401, 402, 403, 404, 307])
def test_what_fails_for_every_item_stops_the_endpoint(status: int) -> None:
    assert judge_reply(http(status)) is ReplyAction.STOP


@pytest.mark.parametrize("status", [400, 405, 413, 422])
def test_what_is_wrong_with_the_item_is_never_tried_again(status: int) -> None:
    assert judge_reply(http(status)) is ReplyAction.QUARANTINE


@pytest.mark.parametrize("kind", ["network", "deadline", "envelope"])
def test_a_call_that_got_lost_is_tried_again(kind: Any) -> None:
    reply = Reply(kind=kind)
    assert judge_reply(reply) is ReplyAction.RETRY and is_endpoint_failure(reply) and failure_reason(reply) == kind


@pytest.mark.parametrize(
    "said", ["insufficient_quota", "enforced_spend_limit_reached", "billing_hard_limit_reached", "quota_exceeded"]
)
def test_no_money_left_stops_the_endpoint_though_it_says_429(said: str) -> None:
    assert judge_reply(http(429, error_type=said)) is ReplyAction.STOP


def test_bad_texts_and_refusals_are_asked_otherwise() -> None:
    assert [judge_reply(Reply(kind=k)) for k in ("ok", "truncated", "empty", "refusal")] == [
        ReplyAction.ACCEPT,
        ReplyAction.CONTENT,
        ReplyAction.CONTENT,
        ReplyAction.REFUSED,
    ]


@pytest.mark.parametrize("status", [408, 429, 503, 529])
def test_two_minutes_are_waited_for_and_more_parks_the_endpoint(status: int) -> None:
    assert judge_reply(http(status, retry_after=120)) is ReplyAction.RETRY
    assert judge_reply(http(status, retry_after=120.5)) is ReplyAction.PARK


@pytest.mark.parametrize("status", [400, 401, 404, 408, 409, 413, 422, 429])
def test_the_breaker_does_not_count_what_the_client_did(status: int) -> None:
    assert not is_endpoint_failure(http(status))


def test_the_breaker_counts_what_the_endpoint_did() -> None:
    assert all(is_endpoint_failure(http(status)) for status in (500, 502, 503, 529, 200))
    assert not any(is_endpoint_failure(Reply(kind=k)) for k in ("ok", "truncated", "empty", "refusal"))


def test_fewer_calls_are_made_where_capacity_is_short() -> None:
    assert all(is_overload(r) for r in (http(429), http(503), http(529), Reply(kind="deadline")))
    assert not any(is_overload(r) for r in (http(400), http(500), ok(), Reply(kind="network")))


def test_only_a_connection_that_was_never_made_is_free() -> None:
    assert was_not_sent(Reply(kind="network", error_type="ConnectError"))
    assert not was_not_sent(Reply(kind="network", error_type="ReadError"))
    assert not was_not_sent(Reply(kind="deadline", error_type="ConnectError"))


@given(st.integers(0, 400), st.integers())
def test_full_jitter_never_exceeds_half_a_minute(retries: int, seed: int) -> None:
    assert 0 <= retry_delay(retries, random.Random(seed)) <= min(30, 0.5 * 2**retries)


def test_full_jitter_uses_the_whole_of_its_range() -> None:
    chance = random.Random(0)
    waits = [retry_delay(3, chance) for _ in range(2000)]
    assert min(waits) < 0.1 and max(waits) > 3.9 and abs(sum(waits) / 2000 - 2) < 0.1


@given(
    st.sampled_from(["ok", "truncated", "refusal", "empty", "http", "network", "deadline", "envelope"]),
    st.none() | st.integers(100, 599),
    st.none() | st.floats(0, 1e6),
    st.none() | st.text(max_size=9),
)
def test_every_reply_has_a_verdict_and_a_short_reason(kind: Any, status: Any, after: Any, said: Any) -> None:
    reply = Reply(kind=kind, status=status, retry_after=after, error_type=said)
    assert isinstance(judge_reply(reply), ReplyAction)
    assert len(failure_reason(reply)) <= 9


class TestRetryBudget:
    """A fifth of the calls of a minute, ten at least."""

    def spent(self, calls: int, tries: int) -> int:
        budget = RetryBudget(clock=lambda: 0.0)
        for _ in range(calls):
            budget.call(retry=False)
        made = 0
        for _ in range(tries):
            if budget.allows():
                budget.call(retry=True)
                made += 1
        return made

    def test_ten_are_always_allowed(self) -> None:
        assert self.spent(calls=0, tries=100) == 10

    def test_a_fifth_of_all_calls(self) -> None:
        made = self.spent(calls=1000, tries=1000)
        assert made == pytest.approx(0.2 * (1000 + made), abs=1)

    def test_they_come_back_after_a_minute(self) -> None:
        now = [0.0]
        budget = RetryBudget(clock=lambda: now[0])
        for _ in range(10):
            budget.call(retry=True)
        assert not budget.allows()
        now[0] = 59.9
        assert not budget.allows()
        now[0] = 60.0
        assert budget.allows()

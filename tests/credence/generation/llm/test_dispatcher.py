"""The dispatcher: every item ends, nothing is asked twice without need, and one bad endpoint harms no other."""

import asyncio
import random
from collections.abc import Sequence
from typing import Any

import pytest

from credence.core.errors import InputError
from credence.generation.llm.budget import Budget
from credence.generation.llm.dispatcher import Dispatcher
from credence.generation.llm.messages import Reply, Usage
from credence.generation.llm.prices import DOLLAR, Price
from credence.generation.llm.provider import RateLimits
from credence.generation.llm.retry import UnusableReply
from credence.generation.llm.work_item import CallAttempt, FailureCounts, ItemResult
from tests.fakes.virtual_clock import Played, Remembered, ends, http, most_in_any, now, ok, played, playing, request

PRICE = Price(input=1, output=1)
LOST = Reply(kind="network", error_type="ReadError", latency=0.1)


def dispatcher(*providers: Played, failover: bool = False, budget: Budget | None = None, **more: Any) -> Dispatcher:
    return Dispatcher(
        providers,
        budget or Budget(),
        failover=failover,
        prices={"arithmetic": PRICE},
        chance=random.Random(1),
        **more,
    )


def asked(*providers: Played, failover: bool = False, **more: Any) -> ItemResult:
    return played(dispatcher(*providers, failover=failover).call(request(), slot="a", **more))


async def until_done(
    to: Dispatcher, items: Sequence[str], *, workers: int = 32, first: str = "first"
) -> list[ItemResult]:
    """Ask for all, putting back what comes back, as a run does."""
    queue: list[tuple[str, FailureCounts | None]] = [(item, None) for item in items]
    done: list[ItemResult] = []

    async def worker() -> None:
        while queue:
            item, tally = queue.pop(0)
            outcome = await to.call(request(first, user=item), slot=item, tally=tally)
            if outcome.end == "later":
                queue.append((item, outcome.tally))
                await asyncio.sleep(outcome.after)
            else:
                done.append(outcome)

    await asyncio.gather(*(worker() for _ in range(workers)))
    return done


def yes_or_no(text: str) -> str:
    if text not in ("yes", "no"):
        raise UnusableReply("unparseable")
    return text


def test_an_answer_is_one_call() -> None:
    provider = playing([ok("no")])
    outcome = asked(provider, read=yes_or_no)
    assert (outcome.end, outcome.value, len(outcome.attempts)) == ("ok", "no", 1)
    assert outcome.request is not None and outcome.request.model == "arithmetic"
    assert outcome.cost == 100_000


def test_what_passes_is_tried_again_until_it_has_passed() -> None:
    provider = playing([http(429), http(503), LOST, Reply(kind="envelope"), http(500), ok()])
    outcome = asked(provider)
    assert outcome.end == "ok" and [a.number for a in outcome.attempts] == [1, 2, 3, 4, 5, 6]
    assert [a.reason for a in outcome.attempts] == ["http_429", "http_503", "network", "envelope", "http_500", "ok"]


def test_the_sixth_failure_is_the_last() -> None:
    provider = playing([http(408)])
    outcome = asked(provider)
    assert (outcome.end, outcome.reason, len(provider.requests)) == ("quarantine", "http_408", 6)


def test_two_bad_texts_are_borne_and_the_prompt_is_never_told() -> None:
    provider = playing([ok("perhaps"), ok("```yes```"), ok("yes")])
    outcome = asked(provider, read=yes_or_no)
    assert outcome.end == "ok" and outcome.tally == FailureCounts(content=2)
    assert len({r.id for r in provider.requests}) == 3
    assert len({(r.system, r.user) for r in provider.requests}) == 1


def test_the_third_bad_text_is_the_last() -> None:
    provider = playing([ok("perhaps")])
    outcome = asked(provider, read=yes_or_no)
    assert (outcome.end, outcome.reason, len(provider.requests)) == ("quarantine", "unparseable", 3)


def test_a_truncated_text_gets_twice_the_room_once() -> None:
    provider = playing([Reply(kind="truncated", usage=Usage(input=1, output=100))])
    outcome = asked(provider)
    assert [r.max_tokens for r in provider.requests] == [100, 200, 200]
    assert (outcome.end, outcome.reason) == ("quarantine", "truncated")


def test_an_item_that_comes_back_keeps_its_room_and_its_samples() -> None:
    cut = Reply(kind="truncated", usage=Usage(input=1, output=100))
    provider = playing([cut, http(429, retry_after=600), http(503, retry_after=600), ok()])
    assert ends(played(until_done(dispatcher(provider), ["a"]))) == {"ok": 1}
    first, *others = provider.requests
    assert first.max_tokens == 100 and len({r.id for r in others}) == 1
    assert others[0].max_tokens == 200 and others[0].sample != first.sample


def test_a_caller_that_counted_the_samples_itself_is_not_sent_further() -> None:
    provider = playing([ok()])
    asked(provider, tally=FailureCounts(content=1))
    sample = provider.requests[0].sample
    played(dispatcher(provider).call(request(sample=sample), slot="a", tally=FailureCounts(content=1)))
    assert sample > 0 and provider.requests[1].sample == sample


def test_a_refusal_is_asked_once_more() -> None:
    provider = playing([Reply(kind="refusal")])
    assert (asked(provider).reason, len(provider.requests)) == ("refusal", 2)


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_bad_request_is_not_repeated(status: int) -> None:
    provider = playing([http(status)])
    outcome = asked(provider)
    assert (outcome.end, outcome.reason, len(provider.requests)) == ("quarantine", f"http_{status}", 1)


@pytest.mark.parametrize(
    ("reply", "says"),
    [
        (http(401), "first was stopped: its key was refused"),
        (http(402), "first was stopped: its account is out of money"),
        (http(404, error_type="model_not_found"), "its model or its base_url does not exist (model_not_found)"),
        (http(429, error_type="insufficient_quota"), "its quota is used up"),
    ],
)
def test_a_refused_key_stops_the_endpoint_for_all(reply: Reply, says: str) -> None:
    provider = playing([reply])

    async def run() -> list[ItemResult]:
        to = dispatcher(provider)
        return [await to.call(request(), slot=str(i)) for i in range(5)]

    outcomes = played(run())
    assert ends(outcomes) == {"stopped": 5} and len(provider.requests) == 1
    assert says in outcomes[-1].reason


def test_a_stopped_endpoint_hands_over_to_the_next() -> None:
    first, second = playing([http(401)]), playing([ok()], name="second")
    outcome = asked(first, second, failover=True)
    assert outcome.end == "ok" and outcome.request is not None and outcome.request.provider == "second"


def test_the_endpoint_s_pause_is_a_floor() -> None:
    provider = playing([http(429, retry_after=30), ok()])
    assert asked(provider).end == "ok"
    first, second = provider.times
    assert 30 <= second - first <= 62


def test_all_calls_keep_the_pause_not_only_the_one_that_was_told() -> None:
    provider = playing(lambda r, call: http(429, retry_after=60) if call == 1 else ok())
    played(until_done(dispatcher(provider), [str(i) for i in range(40)], workers=8))
    inside = [t for t in provider.times if provider.times[0] + 0.1 < t < provider.times[0] + 60]
    assert inside == []


def test_an_hour_s_pause_parks_the_endpoint_and_nobody_sleeps() -> None:
    provider = playing([http(429, retry_after=3600), ok()])

    async def run() -> tuple[list[ItemResult], float]:
        to, start = dispatcher(provider), now()
        return [await to.call(request(), slot=str(i)) for i in range(3)], now() - start

    outcomes, took = played(run())
    assert took < 1 and ends(outcomes) == {"later": 3} and len(provider.requests) == 1
    assert all(o.tally == FailureCounts() and 3590 < o.after < 3601 for o in outcomes)
    assert [a.reason for a in outcomes[0].attempts] == ["http_429"]


def test_while_one_is_parked_the_next_works() -> None:
    first, second = playing([http(529, retry_after=3600)]), playing([ok()], name="second")
    outcomes = played(until_done(dispatcher(first, second, failover=True), [str(i) for i in range(50)]))
    assert ends(outcomes) == {"ok": 50} and len(first.requests) <= 4


def test_a_parked_item_comes_back_and_is_answered() -> None:
    provider = playing([http(503, retry_after=600), ok()])
    outcomes = played(until_done(dispatcher(provider), ["a", "b", "c"]))
    assert ends(outcomes) == {"ok": 3} and provider.times[-1] - provider.times[0] >= 600


def test_a_rater_has_no_stand_in() -> None:
    first, second = playing([http(500)]), playing([ok()], name="second")
    outcome = asked(first, second, failover=False)
    assert outcome.end == "quarantine" and second.requests == []


def test_generation_has() -> None:
    first, second = playing([http(500)]), playing([ok()], name="second")
    outcome = asked(first, second, failover=True)
    assert outcome.end == "ok" and [a.request.provider for a in outcome.attempts] == ["first", "second"]


def test_the_provider_that_is_asked_for_comes_first() -> None:
    providers = [playing([ok()], name=name) for name in ("a", "b", "c")]
    outcome = played(dispatcher(*providers, failover=True).call(request("b"), slot="x"))
    assert outcome.request is not None and outcome.request.provider == "b"


def test_a_dead_endpoint_gets_five_calls_and_then_one_at_a_time() -> None:
    dead = playing([LOST], limits=RateLimits(rpm=None, in_flight=1))

    async def run() -> None:
        async with asyncio.timeout(100):
            await until_done(dispatcher(dead), [str(i) for i in range(200)], workers=50)

    with pytest.raises(TimeoutError):
        played(run())
    assert len([t for t in dead.times if t - dead.times[0] < 4]) == 5
    assert dead.peak == 1 and len(dead.requests) <= 5 + 5


def test_while_half_open_exactly_one_call_is_out() -> None:
    """The endpoint dies, then hangs when it is probed: fifty callers wait, one probes."""
    open_at_once: list[int] = []
    provider = playing(lambda r, call: LOST if call <= 8 else ok(latency=50))

    async def watch() -> None:
        while True:
            await asyncio.sleep(0.5)
            if to.endpoints["first"].breaker.state == "half-open":
                open_at_once.append(provider._open)

    to = dispatcher(provider)

    async def run() -> list[ItemResult]:
        watcher = asyncio.create_task(watch())
        outcomes = await until_done(to, [str(i) for i in range(60)], workers=50)
        watcher.cancel()
        return outcomes

    outcomes = played(run())
    assert ends(outcomes) == {"ok": 60}
    assert len(open_at_once) > 50 and set(open_at_once) == {1}


def test_those_who_wait_for_a_long_probe_are_not_put_off() -> None:
    provider = playing(lambda r, call: LOST if call <= 5 else ok(latency=500), total_seconds=600.0)

    async def run() -> list[ItemResult]:
        to = dispatcher(provider)
        await asyncio.gather(*(to.call(request(), slot=str(i), tally=FailureCounts(transport=5)) for i in range(5)))
        assert to.standing()[0].breaker == "open"
        return await asyncio.gather(*(to.call(request(), slot=str(i)) for i in range(10)))

    assert ends(played(run())) == {"ok": 10}


def test_a_dead_provider_leaves_the_healthy_one_its_rate() -> None:
    minutes = 10
    dead = playing([Reply(kind="deadline", latency=120)], name="dead")
    healthy = playing([ok()], name="healthy", limits=RateLimits(rpm=60))

    async def run() -> None:
        to = dispatcher(dead, healthy, failover=False)
        both = [
            until_done(to, [f"{name}{i}" for i in range(5000)], first=name, workers=32) for name in ("dead", "healthy")
        ]
        await asyncio.wait([asyncio.create_task(b) for b in both], timeout=60.5 * minutes)
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()

    played(run())
    assert len(healthy.requests) >= 0.95 * 60 * minutes
    assert most_in_any(healthy.times, 60) <= 60


def test_two_limits_are_used_up_together() -> None:
    """While a call waits for its money to be set aside, its place in the window is taken."""
    large = playing([ok(latency=0.05)], limits=RateLimits(rpm=60))
    small = playing([ok(latency=0.05)], limits=RateLimits(rpm=20), name="small")
    to = dispatcher(large, small, failover=True, budget=Budget(1, journal=Remembered()))
    assert ends(played(until_done(to, [str(i) for i in range(160)]))) == {"ok": 160}
    assert (len(large.requests), len(small.requests)) == (120, 40)


def test_a_hanging_endpoint_is_cut_within_a_second_of_its_deadline() -> None:
    provider = playing([ok(latency=10_000)], total_seconds=10.0)

    async def run() -> tuple[ItemResult, float]:
        start = now()
        return await dispatcher(provider).call(request(), slot="a", tally=FailureCounts(transport=5)), now() - start

    outcome, took = played(run())
    assert (outcome.end, outcome.reason) == ("quarantine", "deadline") and 10 <= took <= 11


def test_an_overloaded_endpoint_is_asked_less_at_a_time_and_loses_nothing() -> None:
    """It bears eight calls at a time and refuses the rest."""
    provider = playing(lambda r, call: ok() if provider._open < 8 else http(429))
    to = dispatcher(provider)
    outcomes = played(until_done(to, [str(i) for i in range(400)], workers=64))
    refused = to.standing()[0].throttled
    assert ends(outcomes) == {"ok": 400} and refused < 80


def test_limits_in_the_headers_are_obeyed() -> None:
    headers = {"x-ratelimit-limit-requests": "10"}
    provider = playing([ok(headers=headers)], limits=RateLimits(rpm=60, in_flight=4))
    played(until_done(dispatcher(provider), [str(i) for i in range(40)]))
    assert most_in_any(provider.times[8:], 60) <= 10


def test_retries_stay_within_a_fifth_and_the_item_returns_uncounted() -> None:
    provider = playing([http(429)])

    async def run() -> list[ItemResult]:
        to = dispatcher(provider)
        return await asyncio.gather(*(to.call(request(), slot=str(i)) for i in range(30)))

    outcomes = played(run())
    assert "later" in ends(outcomes) and provider.times[-1] - provider.times[0] < 60
    assert len(provider.requests) <= 30 + 10
    back = next(o for o in outcomes if o.end == "later")
    assert back.reason == "retry budget" and back.tally.transport == len(back.attempts) and 0 <= back.after <= 30


def test_permanent_faults_all_end_in_quarantine_with_a_reason_and_the_run_ends() -> None:
    faults = [http(400), http(422), http(408), http(409), Reply(kind="refusal"), Reply(kind="empty"), http(413)]
    provider = playing(lambda r, call: faults[int(r.user) % len(faults)])
    outcomes = played(until_done(dispatcher(provider), [str(i) for i in range(140)]))
    assert ends(outcomes) == {"quarantine": 140} and all(o.reason for o in outcomes)


@pytest.mark.parametrize("seed", range(3))
def test_at_35_per_cent_of_faults_nothing_is_lost(seed: int) -> None:
    chance = random.Random(seed)
    faults = [
        *(http(s) for s in (408, 409, 429, 500, 503, 529)),
        http(429, retry_after=3),
        http(429, retry_after=200),
        LOST,
        *(Reply(kind=k) for k in ("envelope", "truncated", "empty", "refusal")),
        ok(latency=1000),
    ]
    hurt: set[tuple[str, int]] = set()

    def behave(asked: Any, call: int) -> Reply:
        # A fault of the text does not follow the item: twice in a row would be a quarantine, and rightly.
        if chance.random() < 0.35 and (asked.user, 0) not in hurt:
            hurt.add((asked.user, 0))
            return chance.choice(faults)
        return ok(asked.user)

    attempts: list[CallAttempt] = []
    to = dispatcher(playing(behave), playing(behave, name="second"), failover=True, on_attempt=attempts.append)
    outcomes = played(until_done(to, [str(i) for i in range(500)]))
    assert ends(outcomes) == {"ok": 500}
    assert sorted(str(o.value) for o in outcomes) == sorted(str(i) for i in range(500))
    assert sum(a.cost for a in attempts) == to.budget.spent and len(hurt) > 100


def test_giving_up_leaves_nothing_behind_and_charges_what_may_be_billed() -> None:
    provider = playing([ok(latency=50)], limits=RateLimits(rpm=20))
    attempts: list[CallAttempt] = []
    to = dispatcher(provider, on_attempt=attempts.append, budget=Budget(1))

    async def run() -> float:
        tasks = [asyncio.create_task(to.call(request(), slot=str(i))) for i in range(40)]
        await asyncio.sleep(10)
        start = now()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return now() - start

    assert played(run()) < 1
    assert to.endpoints["first"].concurrency.in_flight == 0
    assert to.budget.reserved == 0 and to.budget.spent == len(attempts) * PRICE.most(request())
    assert len(attempts) == len(provider.requests) == 4
    assert {a.reason for a in attempts} == {"cancelled"}


def test_a_connection_that_was_never_made_costs_nothing() -> None:
    outcome = asked(playing([Reply(kind="network", error_type="ConnectError"), http(500), ok()]))
    assert [a.cost for a in outcome.attempts] == [0, 0, 100_000]


def test_a_call_whose_end_nobody_knows_costs_what_was_reserved() -> None:
    outcome = asked(playing([LOST, ok()]))
    assert [a.cost for a in outcome.attempts] == [PRICE.most(request()), 100_000]


def test_usage_of_a_failed_attempt_is_paid_for() -> None:
    outcome = asked(playing([http(500, usage=Usage(input=10, output=5)), ok()]))
    assert outcome.attempts[0].cost == 15_000


def test_an_endpoint_that_counts_more_than_thought_possible_is_reserved_for_from_then_on() -> None:
    provider = playing([ok(input=1000, output=100)])
    to = dispatcher(provider, budget=Budget(10_500_000 / DOLLAR))
    outcomes = played(until_done(to, [str(i) for i in range(50)], workers=1))
    assert to.budget.limit is not None and to.budget.spent <= to.budget.limit
    assert ends(outcomes) == {"ok": 9, "spent": 41}


def test_a_mistake_in_the_provider_is_not_swallowed_and_nothing_stays_reserved() -> None:
    def behave(asked: Any, call: int) -> Reply:
        raise InputError("provider 'first' takes its key from the environment variable KEY, which is not set.")

    to = dispatcher(playing(behave), budget=Budget(1))
    with pytest.raises(InputError, match="KEY"):
        played(to.call(request(), slot="a"))
    assert to.budget.spent == to.budget.reserved == 0 and to.endpoints["first"].concurrency.in_flight == 0


def test_a_call_whose_reader_fails_is_told_before_the_run_ends() -> None:
    attempts: list[CallAttempt] = []
    to = dispatcher(playing([ok("[" * 10)]), on_attempt=attempts.append)

    def fails(text: str) -> str:
        raise RecursionError

    with pytest.raises(RecursionError):
        played(to.call(request(), slot="a", read=fails))
    assert [(a.reply.text, a.reason, a.cost) for a in attempts] == [("[" * 10, "unread", to.budget.spent)]


def test_silence_is_heard_though_another_endpoint_was_never_called() -> None:
    async def run() -> tuple[float, float]:
        to = dispatcher(playing([ok(latency=1000)], total_seconds=2000.0), playing([ok()], name="second"))
        before, asking = to.silence(), asyncio.create_task(to.call(request(), slot="a"))
        await asyncio.sleep(900)
        heard = to.silence()
        await asking
        return before, heard

    assert played(run()) == (0, 900)


def test_a_provider_nobody_knows_is_named() -> None:
    with pytest.raises(InputError, match=r"no provider is called 'frist'. Did you mean 'first'\?"):
        played(dispatcher(playing([ok()])).call(request("frist"), slot="a"))


@pytest.mark.parametrize("names", [[], ["a", "a"]])
def test_providers_have_names_of_their_own(names: list[str]) -> None:
    with pytest.raises(InputError, match="expected one or more, each with a name of its own"):
        dispatcher(*(playing([ok()], name=name) for name in names))


def test_a_model_without_a_price_is_refused_before_any_call() -> None:
    with pytest.raises(InputError, match="no price is known for the model 'arithmetics'"):
        Dispatcher([playing([ok()], model="arithmetics")], Budget(), failover=False)


def test_how_it_stands_can_be_watched() -> None:
    async def run() -> None:
        to = dispatcher(playing([ok(), ok(), http(401)], limits=RateLimits(rpm=60)))
        await to.call(request(), slot="a")
        await to.call(request(), slot="b")
        await asyncio.sleep(7)
        (stands,) = to.standing()
        assert (stands.breaker, stands.in_flight, stands.throttled, stands.stopped) == ("closed", 0, 0, None)
        assert stands.rate == 1.0 and stands.utilisation == pytest.approx(2 / 60) and to.silence() == 7
        await to.call(request(), slot="c")
        assert "its key was refused" in (to.standing()[0].stopped or "")

    played(run())

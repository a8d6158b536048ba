"""The dispatcher with the real SDKs over real HTTP: no fault loses an item, no call goes unaccounted for."""

import asyncio
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from credence.generation.llm.budget import Budget
from credence.generation.llm.dispatcher import Dispatcher
from credence.generation.llm.messages import Request
from credence.generation.llm.prices import Price
from credence.generation.llm.provider import Provider, ProviderSpec
from credence.generation.llm.retry import UnusableReply
from credence.generation.llm.work_item import CallAttempt, FailureCounts, ItemResult
from tests.fakes.fake_faults import TRANSIENT
from tests.fakes.fake_llm import FakeLLM

PRICE = Price(input=1, output=1)
each_kind = pytest.mark.parametrize("kind", ["anthropic", "openai"])


@pytest.fixture(scope="module")
def fake() -> Iterator[FakeLLM]:
    with FakeLLM(think=lambda prompt: "yes") as server:
        yield server


@pytest.fixture(autouse=True)
def _fresh(fake: FakeLLM, monkeypatch: pytest.MonkeyPatch) -> None:
    fake.does()
    monkeypatch.setenv("FAKE_KEY", "sk-of-nobody")


def provider(url: str, kind: str, **more: Any) -> Provider:
    address = url + ("/v1" if kind == "openai" else "")
    given = {"name": kind, "model": "m-1", "base_url": address, "key_env": "FAKE_KEY", "limits": {"rpm": None}}
    made: Provider = ProviderSpec(kind=kind, **(given | {"read_seconds": 0.5, "total_seconds": 2} | more)).build()
    return made


def yes(text: str) -> str:
    if text != "yes":
        raise UnusableReply("unparseable")
    return text


class Run:
    """Items through a dispatcher in real time, put back when they come back, as a run does."""

    def __init__(self, *providers: Provider, failover: bool = False, budget: Budget | None = None) -> None:
        self.attempts: list[CallAttempt] = []
        self.providers = providers
        self.budget = budget or Budget()
        self.to = Dispatcher(
            providers, self.budget, failover=failover, prices={"m-1": PRICE}, on_attempt=self.attempts.append
        )

    def ask(self, items: int, *, workers: int = 16) -> list[ItemResult]:
        return asyncio.run(self._ask(items, workers))

    async def _ask(self, items: int, workers: int) -> list[ItemResult]:
        queue: list[tuple[int, FailureCounts | None]] = [(item, None) for item in range(items)]
        done: list[ItemResult] = []

        async def worker() -> None:
            while queue:
                item, tally = queue.pop(0)
                asked = Request(
                    provider=self.providers[0].name, model="", system="", user=f"item {item}", max_tokens=50
                )
                outcome = await self.to.call(asked, slot=str(item), read=yes, tally=tally)
                if outcome.end == "later":
                    queue.append((item, outcome.tally))
                    await asyncio.sleep(outcome.after)
                else:
                    done.append(outcome)

        await asyncio.gather(*(worker() for _ in range(workers)))
        for used in self.providers:
            await used.close()
        return done


@each_kind
def test_faults_on_the_way_are_tried_again_and_every_call_is_accounted_for(fake: FakeLLM, kind: str) -> None:
    fake.does(faults=["429_bare", "500", "fence", "empty", "cut_json"])
    run = Run(provider(fake.url, kind))
    outcomes = run.ask(12, workers=4)
    saw = fake.saw()
    assert [o.end for o in outcomes] == ["ok"] * 12 and {o.value for o in outcomes} == {"yes"}
    assert saw["calls"] == len(run.attempts) == 17 and saw["retry_counts"] == ["0"]
    assert sum(a.cost for a in run.attempts) == run.budget.spent > 0


@each_kind
def test_a_refused_key_ends_the_run_after_the_calls_in_flight(fake: FakeLLM, kind: str) -> None:
    fake.does(always="401")
    outcomes = Run(provider(fake.url, kind)).ask(50, workers=8)
    assert {o.end for o in outcomes} == {"stopped"} and fake.saw()["calls"] <= 8
    assert "its key was refused" in outcomes[-1].reason


@each_kind
def test_where_nobody_listens_nothing_is_charged_and_the_next_one_works(fake: FakeLLM, kind: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        address = f"http://127.0.0.1:{closed.getsockname()[1]}"
    run = Run(provider(address, kind, name="dead"), provider(fake.url, kind), failover=True)
    outcomes = run.ask(40)
    dead = [a for a in run.attempts if a.request.provider == "dead"]
    assert [o.end for o in outcomes] == ["ok"] * 40
    assert 5 <= len(dead) <= 16 and {a.cost for a in dead} == {0}
    assert run.to.standing()[0].breaker == "open"


@each_kind
def test_a_dripping_server_is_cut_at_its_deadline(fake: FakeLLM, kind: str) -> None:
    fake.does(faults=["drip"])
    run = Run(provider(fake.url, kind, total_seconds=0.7))
    assert [o.end for o in run.ask(1)] == ["ok"]
    assert [a.reason for a in run.attempts] == ["deadline", "ok"]
    assert 0.6 < run.attempts[0].reply.latency < 1.7


@pytest.mark.slow
@each_kind
def test_at_35_per_cent_of_faults_of_every_kind_nothing_is_lost(fake: FakeLLM, kind: str) -> None:
    fake.does(mix=sorted(TRANSIENT), share=0.35, seed=7)
    run = Run(provider(fake.url, kind))
    outcomes = run.ask(100, workers=32)
    saw = fake.saw()
    assert len(outcomes) == 100 and {o.end for o in outcomes} <= {"ok", "quarantine"}
    assert len([o for o in outcomes if o.end == "ok"]) >= 93 and all(o.reason or o.value for o in outcomes)
    assert saw["retry_counts"] == ["0"] and saw["calls"] <= len(run.attempts)
    assert sum(a.cost for a in run.attempts) == run.budget.spent

"""Generation with the real SDKs over real HTTP: whatever a server does, no row is lost or doubled, and the run ends."""

import asyncio
import os
import random
import shutil
import signal
import socket
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.generation import LOOP, WAYS, once, paces
from credence.core.errors import InputError
from credence.generation.generate import GenerationResult, generate, generation_run_folder
from credence.generation.ledger import AttemptRecord, Ledger, slots
from credence.generation.llm.budget import Budget
from credence.generation.llm.dispatcher import Dispatcher
from credence.generation.llm.messages import Request
from credence.generation.llm.notifier import Notifier
from credence.generation.llm.prices import DOLLAR, Price
from credence.generation.llm.provider import RateLimits
from credence.generation.llm.retry import MAX_ATTEMPTS
from credence.generation.runner import Runner
from credence.generation.section import Generation
from credence.generation.writers.batching import make_batches, rejected_items
from credence.generation.writers.cached_calls import CachedCaller, RunStopped
from credence.generation.writers.statements import Statements
from tests.fakes.fake_faults import TRANSIENT
from tests.fakes.fake_llm import FakeLLM, think
from tests.support.generation_cases import PRICE, Held, Simulated, leaping, provider, section, slot

each_kind = pytest.mark.parametrize("kind", ["anthropic", "openai"])


@pytest.fixture(scope="module")
def fake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeLLM]:
    with FakeLLM() as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv("CREDENCE_HOME", str(tmp_path_factory.mktemp("home")))
        patch.setenv("FAKE_KEY", "sk-of-nobody")
        patient = {"read_seconds": 30, "total_seconds": 30}
        # The SDKs import much of themselves in their first call, which takes longer than what is measured here.
        generate("warm", section(*(provider(server.url, kind, **patient) for kind in ("anthropic", "openai"))))
        yield server


@pytest.fixture(autouse=True)
def _fresh(fake: FakeLLM, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake.does()
    monkeypatch.setenv("FAKE_KEY", "sk-of-nobody")
    monkeypatch.setenv("CREDENCE_HOME", str(tmp_path))


def filled(wanted: Generation, **more: Any) -> tuple[GenerationResult, Held]:
    """A run, and what is in its ledger."""
    done = generate("served", wanted, **more)
    return done, Held(done.folder)


@each_kind
def test_every_place_gets_its_row_for_one_call_and_every_call_is_paid(fake: FakeLLM, kind: str) -> None:
    done, held = filled(section(provider(fake.url, kind)))
    saw = fake.saw()
    assert done.stopped is None and held.balanced and len(held.rows) == 40
    assert saw["calls"] == saw["unique"] == 40 and saw["retry_counts"] == ["0"]
    assert held.spent.settled == sum(call["cost"] for call in held.calls) > 0 == held.spent.reserved


@each_kind
def test_every_kind_of_fault_is_survived(fake: FakeLLM, kind: str) -> None:
    fake.does(faults=sorted(TRANSIENT), only='"pattern"')
    done, held = filled(section(provider(fake.url, kind), rows=96))
    saw = fake.saw()
    assert sorted(saw["faults"]) == sorted(TRANSIENT) and saw["retry_counts"] == ["0"]
    assert done.stopped is None and held.balanced and saw["calls"] == len(held.calls) == 96 + len(TRANSIENT)


@each_kind
@pytest.mark.parametrize(
    ("fault", "reason", "calls"),
    [
        ("400", "http_400", 1),
        ("413", "http_413", 1),
        ("422", "http_422", 1),
        ("refusal", "refusal", 2),
        ("truncated", "truncated", 3),
        ("prose", "json", 3),
        ("fence", "json", 3),
        ("wrong_schema", "schema", 3),
        ("empty", "empty", 3),
    ],
)
def test_an_item_that_always_fails_is_given_up_with_its_reason_and_nothing_else(
    fake: FakeLLM, kind: str, fault: str, reason: str, calls: int
) -> None:
    fake.does(always=fault, only=slot("comparison", "yes", 1))
    wanted = section(provider(fake.url, kind), rows=16)
    done, held = filled(wanted)
    assert done.stopped is None and len(held.rows) == 15 and held.due == 0 and held.given_up == 1
    assert held.last_reasons() == {reason: 1} and fake.saw()["calls"] == 15 + calls
    fake.does()
    assert filled(wanted)[1].balanced, "the same command tries again"


@each_kind
def test_a_call_of_several_that_fails_is_taken_apart_and_only_the_bad_one_is_given_up(fake: FakeLLM, kind: str) -> None:
    fake.does(always="400", only=slot("pattern", "no", 3))
    done, held = filled(section(provider(fake.url, kind), items_per_call=5))
    assert done.stopped is None and len(held.rows) == 39 and held.last_reasons() == {"http_400": 1}
    assert fake.saw()["calls"] == 8 + 5, "eight packs, and the five of one of them alone"


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("401", "its key was refused"),
        ("402", "its account is out of money"),
        ("404", "its model or its base_url does not exist"),
        ("quota", "its quota is used up"),
    ],
)
@each_kind
def test_a_provider_that_can_never_answer_ends_the_run_at_once(fake: FakeLLM, kind: str, fault: str, said: str) -> None:
    fake.does(always=fault)
    done, held = filled(section(provider(fake.url, kind)))
    assert done.stopped and done.stopped.startswith(f"{kind} was stopped: {said}") and "\n" not in done.stopped
    assert fake.saw()["calls"] <= 4 and not held.rows and held.due == 40
    fake.does()
    assert filled(section(provider(fake.url, kind)))[1].balanced, "once it is mended the same command goes on"


def test_nobody_who_answers_ends_the_run_when_patience_is_over(fake: FakeLLM) -> None:
    fake.does(always="500")
    done, held = filled(section(provider(fake.url, "openai"), patience_minutes=0.05))
    assert done.stopped == "no answer has come from openai for 0.05 minutes"
    assert not held.rows and held.due == 40 and held.spent.total == 0 and 5 <= fake.saw()["calls"] <= 16


@each_kind
def test_a_key_that_is_refused_stops_one_provider_and_not_the_run(fake: FakeLLM, kind: str) -> None:
    with FakeLLM() as healthy:
        fake.does(always="401")
        done, held = filled(section(provider(fake.url, kind), provider(healthy.url, kind, name="other")))
        assert done.stopped is None and held.balanced and {row["source"] for row in held.rows} == {"other/m-1"}
        assert fake.saw()["calls"] <= 4 and healthy.saw()["calls"] == healthy.saw()["unique"] == 40


def test_an_hour_that_one_asks_for_is_waited_by_nobody_else(fake: FakeLLM) -> None:
    with FakeLLM() as healthy:
        fake.does(always="429_hour")
        done, held = filled(section(provider(fake.url, "openai"), provider(healthy.url, "anthropic")))
        assert done.stopped is None and held.balanced and fake.saw()["calls"] <= 4


def test_an_hour_that_the_last_one_left_asks_for_is_no_silence(fake: FakeLLM) -> None:
    with FakeLLM() as closed:
        fake.does(always="429_hour")
        closed.does(always="401")
        wanted = section(provider(fake.url, "openai"), provider(closed.url, "anthropic"), patience_minutes=0.02)
        with pytest.raises(KeyboardInterrupt):
            filled(wanted, watch=Interrupter(lambda run: run.dispatcher.silence() > 3))


class Interrupter:
    """Presses Ctrl-C once a run is as far as it should be."""

    def __init__(self, far: Any) -> None:
        self.far, self.pressed = far, False

    def __call__(self, run: Runner) -> None:
        if not self.pressed and self.far(run):
            self.pressed = True
            os.kill(os.getpid(), signal.SIGINT)


def test_a_rest_of_an_hour_ends_with_control_c_and_nobody_sleeps_through_it(
    fake: FakeLLM, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []
    after: list[float] = []
    real, wait = asyncio.sleep, Notifier.wait

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        await real(seconds)
        after.extend([seconds] * press.pressed)

    async def waited(bell: Notifier, seconds: float | None = None) -> None:
        slept.append(seconds or 0)
        await wait(bell, seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    monkeypatch.setattr(Notifier, "wait", waited)
    fake.does(always="429_hour")
    press = Interrupter(lambda run: run.dispatcher.standing()[0].rests > 3000)
    with pytest.raises(KeyboardInterrupt):
        filled(section(provider(fake.url, "openai")), watch=press)
    assert press.pressed and sum(after) < 5, "seconds slept to their end after Ctrl-C"
    assert slept and max(slept) <= 120 and fake.saw()["calls"] <= 4


@each_kind
def test_a_server_that_drips_is_cut_at_its_deadline(fake: FakeLLM, kind: str) -> None:
    fake.does(faults=["drip"])
    _, held = filled(section(provider(fake.url, kind, read_seconds=9, total_seconds=1.5), rows=8))
    [cut] = [call["latency"] for call in held.calls if call["kind"] == "deadline"]
    assert held.balanced and 1.5 <= cut < 9, "by the deadline of the call, not by that of a read"


def test_control_c_ends_at_once_and_keeps_what_was_answered(fake: FakeLLM) -> None:
    """The calls in flight would take an hour: only breaking them off ends the run."""
    fake.does(latency=0.2, silent_after=40)
    wanted = section(provider(fake.url, "openai", read_seconds=3000, total_seconds=3000), rows=400)
    press = Interrupter(lambda run: run.there.total() >= 20)
    with pytest.raises(KeyboardInterrupt):
        filled(wanted, watch=press)
    asked = fake.saw()["calls"]
    held = Held(generation_run_folder("served", wanted))
    assert len(held.rows) >= 20 and asked <= len(held.calls) < 400
    assert held.spent.reserved == 0, "what was broken off was charged at the most it may cost"
    fake.does()
    done, held = filled(wanted)
    assert done.stopped is None and held.balanced and fake.saw()["calls"] <= 400 - 20


def test_a_second_run_of_the_same_data_set_refuses_in_one_sentence(fake: FakeLLM) -> None:
    said: list[str] = []
    wanted = section(provider(fake.url, "openai"))

    def again(run: Runner) -> None:
        for fresh in (False, True):
            with pytest.raises(InputError) as refused:
                generate("served", wanted, fresh=fresh)
            said.append(str(refused.value))

    assert filled(wanted, watch=again)[1].balanced
    assert said and all(f"another run (process {os.getpid()}) writes this ledger; wait" in text for text in said)


def test_a_run_goes_on_with_another_number_of_items_per_call(fake: FakeLLM) -> None:
    one, many = (section(provider(fake.url, "openai"), rows=160, items_per_call=n) for n in (1, 7))
    fake.does(latency=0.1)
    with pytest.raises(KeyboardInterrupt):
        filled(one, watch=Interrupter(lambda run: run.there.total() >= 8))
    before = Held(generation_run_folder("served", one)).rows
    fake.does()
    _, held = filled(many)
    assert held.balanced and all(row in held.rows for row in before)
    assert fake.saw()["calls"] <= 8 * 3 + 8, "only what was missing, in packs"


@pytest.mark.parametrize("per_call", [1, 5])
def test_a_data_set_that_grows_pays_for_the_new_rows_alone(fake: FakeLLM, per_call: int) -> None:
    small, large = (section(provider(fake.url, "openai"), rows=n, items_per_call=per_call) for n in (40, 80))
    filled(small)
    fake.does()
    done, held = filled(large)
    assert done.stopped is None and held.balanced and len(held.rows) == 80
    assert fake.saw()["calls"] == 40 / per_call
    assert [call["reason"] for call in held.calls].count("kept") == 40 / per_call
    assert sum(call["cost"] for call in held.calls if call["reason"] == "kept") == 0


def test_a_ledger_that_was_killed_at_its_birth_is_in_nobodys_way(fake: FakeLLM, tmp_path: Path) -> None:
    beside = tmp_path / "served/ledger/killed"
    beside.mkdir(parents=True)
    (beside / "ledger.sqlite").touch()
    assert filled(section(provider(fake.url, "openai"), rows=8))[1].balanced


@pytest.mark.parametrize("other", [{"seed": 1}, {"providers": [{"kind": "offline", "seed": 1}]}], ids=str)
def test_another_seed_gives_other_rows(other: dict[str, Any]) -> None:
    given: dict[str, Any] = {"providers": [{"kind": "offline"}], "rows": 40}
    (_, before), (_, held) = (filled(Generation(**given | more)) for more in ({}, other))
    assert held.balanced and held.digest != before.digest
    same = {row["content_id"] for row in before.rows} & {row["content_id"] for row in held.rows}
    assert len(same) < 10 and filled(Generation(**given))[1].digest == before.digest


def test_what_another_seed_or_another_server_said_is_not_taken_for_an_answer(fake: FakeLLM) -> None:
    with FakeLLM() as other:
        given = provider(fake.url, "openai", name="llm")
        for wanted in (section(given), section(given, seed=1), section(provider(other.url, "openai", name="llm"))):
            assert filled(wanted)[1].balanced
        assert fake.saw()["calls"] == 80 and other.saw()["calls"] == 40


def test_beginning_anew_pays_again_and_leaves_the_old_ledger_beside(fake: FakeLLM, tmp_path: Path) -> None:
    wanted = section(provider(fake.url, "openai"))
    filled(section(provider(fake.url, "openai"), rows=16))
    done, before = filled(wanted)
    fake.does()
    again, held = filled(wanted, fresh=True)
    [beside] = (tmp_path / "served").glob("ledger_before_*")
    assert again.folder == done.folder and held.balanced and held.digest == before.digest
    assert fake.saw()["calls"] == 40 and Held(beside).rows == before.rows


def test_providers_share_the_work_by_what_they_can_take(fake: FakeLLM) -> None:
    with FakeLLM() as slow, FakeLLM() as closed:
        fake.does(latency=0.1)
        slow.does(latency=0.1)
        closed.does(always="401")
        few, many = {"rpm": None, "in_flight": 1}, {"rpm": None, "in_flight": 4}
        slower = provider(slow.url, "anthropic", limits=few)
        done, held = filled(section(provider(fake.url, "openai", limits=many), slower, _third(closed.url), rows=200))
        assert done.stopped is None and held.balanced and closed.saw()["calls"] <= 4
        assert 20 <= slow.saw()["answered"] <= 70, "about a fifth"
        assert slow.saw()["answered"] + fake.saw()["answered"] == 200


def _third(url: str) -> dict[str, Any]:
    return provider(url, "openai", name="third")


@each_kind
def test_a_budget_ends_the_run_keeps_all_and_is_raised_without_paying_twice(fake: FakeLLM, kind: str) -> None:
    patient = provider(fake.url, kind, read_seconds=30, total_seconds=30)
    little, enough = (section(patient, budget_usd=dollars) for dollars in (0.02, 1))
    done, held = filled(little)
    assert done.stopped == "the budget does not pay for one more call"
    assert 0 < len(held.rows) < 40 and 0.015e9 < held.spent.total <= 0.02e9
    assert fake.saw()["calls"] == len(held.rows)
    done, held = filled(enough)
    assert done.stopped is None and held.balanced and fake.saw()["calls"] == fake.saw()["unique"] == 40


def test_a_budget_too_small_for_the_largest_call_is_refused_before_anything_is_begun(
    fake: FakeLLM, tmp_path: Path
) -> None:
    """A pack of twenty costs up to $0.0066, one of three up to $0.0025."""
    wanted = section(provider(fake.url, "openai"), rows=400, items_per_call=20, budget_usd=0.004)
    with pytest.raises(InputError, match="a single call to m-1 may cost"):
        generate("served", wanted)
    assert not (tmp_path / "served").exists() and fake.saw()["calls"] == 0


def test_a_failed_answer_that_was_counted_is_paid(fake: FakeLLM) -> None:
    fake.does(faults=["truncated", "bad_envelope", "prose", "500"])
    _, held = filled(section(provider(fake.url, "openai", limits={"rpm": None, "in_flight": 1}), rows=8))
    costs = {call["reason"]: call["cost"] for call in held.calls}
    assert held.balanced and all(costs[reason] > 0 for reason in ("truncated", "envelope", "json"))
    assert costs["http_500"] == 0 and held.spent.total == sum(call["cost"] for call in held.calls)


def test_one_model_at_two_places_costs_what_each_of_them_takes(fake: FakeLLM) -> None:
    free = provider(fake.url, "openai", name="own", price={"input": 0, "output": 0})
    _, held = filled(section(provider(fake.url, "openai", name="dear"), free))
    costs = {name: {call["cost"] > 0 for call in held.calls if call["provider"] == name} for name in ("dear", "own")}
    assert held.balanced and costs == {"dear": {True}, "own": {False}}


def test_a_copy_of_a_request_has_an_id_of_its_own() -> None:
    asked = Request(provider="p", model="m", system="s", user="u", max_tokens=9)
    assert asked.id == asked.model_copy().id != asked.model_copy(update={"sample": 1}).id
    assert asked.model_copy(update={"sample": 1}).id == Request(**asked.model_dump() | {"sample": 1}).id


@pytest.mark.parametrize("way", [LOOP, *WAYS])
def test_the_benchmark_measures_every_way(fake: FakeLLM, way: str, tmp_path: Path) -> None:
    found, per_call = once(way, fake.url, 160, tmp_path), WAYS.get(way, ("openai", 1, 0))[1]
    assert all(figure > 0 for figure in found.values()) and fake.saw()["calls"] == 160 / per_call


def test_paces_are_those_of_the_middle_and_of_the_whole() -> None:
    steady = [(0.0, 0), (1.0, 20), (2.0, 40), (3.0, 60), (4.0, 80), (6.0, 100)]
    assert paces(steady, 100) == (20.0, 100 / 6)
    at_once = [(0.0, 0), (1.0, 60), (2.0, 60), (4.0, 100)]
    assert paces(at_once, 100) == (25.0, 25.0)


class Lives:
    """One ledger and its simulated provider, over several runs."""

    def __init__(self, folder: Path, dice: random.Random) -> None:
        self.folder, self.dice = folder, dice
        self.provider = Simulated(badly=dice.choice((0, 0.1, 0.4)))
        self.provider._dice = dice
        self.wanted = section({"kind": "offline"}, rows=dice.choice((8, 24)), items_per_call=dice.choice((1, 3)))
        self.limit, self.overshot = 0, 0

    def live(self, budget_usd: float, seconds: float) -> str:
        """One run within a budget, broken off after so many seconds; how it ended."""
        self.limit = round(budget_usd * DOLLAR)
        with Ledger(self.folder, self.wanted.spec(["t"])) as ledger:
            ledger.due_slots(slots(ledger.spec_id, self.wanted.wanted()))
            ledger.reopen()
            try:
                leaping(asyncio.wait_for(self._filled(ledger, budget_usd), seconds))
            except RunStopped as error:
                return str(error)
            except TimeoutError:
                return "broken off"
        return "whole"

    async def _filled(self, ledger: Ledger, budget_usd: float) -> None:
        budget = Budget(budget_usd, spent=ledger.spent().total, journal=ledger)
        dispatcher = Dispatcher(
            [self.provider],
            budget,
            failover=True,
            prices={"m-1": Price(**PRICE)},
            chance=self.dice,
            on_attempt=lambda attempt: ledger.note(AttemptRecord.of(attempt)),
        )
        writer = Statements(self.wanted.items_per_call)
        run = Runner(ledger, dispatcher, CachedCaller(ledger, dispatcher), writer, patience=900, watch=self._watch)
        await run.run(make_batches(ledger.due(), writer.size, rejected_items(ledger)), [self.provider])

    def _watch(self, run: Runner) -> None:
        self.overshot = max(self.overshot, run.ledger.spent().total - self.limit, self.provider.billed - self.limit)


def test_items_that_take_their_server_down_do_not_end_the_run_for_the_others(tmp_path: Path) -> None:
    lives = Lives(tmp_path, random.Random(1))
    bad = tuple(slot(category, "yes", 1) for category in ("comparison", "pattern", "number_property"))
    lives.provider, lives.wanted = Simulated(deadly=bad), section({"kind": "offline"}, rows=40)
    for _ in range(2):
        assert lives.live(1000, 1e6) == "whole"
        held = Held(tmp_path)
        assert len(held.rows) == 37 and held.due == 0 and held.last_reasons() == {"http_500": 3}
    lives.provider = Simulated()
    assert lives.live(1000, 1e6) == "whole" and Held(tmp_path).balanced


def test_a_server_that_goes_down_amid_the_work_stops_the_run_and_gives_nothing_up(tmp_path: Path) -> None:
    lives = Lives(tmp_path, random.Random(1))
    lives.provider, lives.wanted = Simulated(lasts=30), section({"kind": "offline"}, rows=200)
    assert lives.live(1000, 1e6) == "no answer has come from simulated for 15 minutes"
    held = Held(tmp_path)
    assert len(held.rows) == 30 and held.given_up == 0 and held.due == 170


def test_calls_that_take_long_use_the_whole_allowance_too(tmp_path: Path) -> None:
    lives = Lives(tmp_path, random.Random(1))
    lives.provider = Simulated(limits=RateLimits(rpm=60), total_seconds=120, seconds=(45.0,))
    lives.wanted = section({"kind": "offline"}, rows=600)
    assert lives.live(1000, 1e6) == "whole"
    steady = lives.provider.sent[300:]
    assert (len(steady) - 1) / (steady[-1] - steady[0]) >= 0.95, "calls in a second"


@pytest.mark.parametrize("runs", [range(10), pytest.param(range(100, 434), marks=pytest.mark.slow)], ids=len)
def test_no_budget_is_ever_overshot_and_nothing_that_was_billed_is_forgotten(runs: range, tmp_path: Path) -> None:
    ends: Counter[str] = Counter()
    for seed in runs:
        dice = random.Random(seed)
        lives, dollars = Lives(tmp_path / str(seed), dice), 0.0
        for _ in range(3):
            dollars += dice.uniform(0.002, 0.012)
            ends[lives.live(dollars, dice.choice((3, 30, 1e6)))] += 1
            held = Held(lives.folder)
            assert lives.overshot == 0, f"seed {seed}"
            assert lives.provider.billed <= held.spent.total <= lives.limit, f"seed {seed}"
            assert held.spent.settled == sum(call["cost"] for call in held.calls)
        shutil.rmtree(lives.folder)
    print(f"{ends.total()} runs: {dict(ends)}")
    assert len(ends) == 3 and ends["the budget does not pay for one more call"] >= len(runs) / 2


@pytest.mark.slow
@each_kind
def test_at_35_per_cent_of_faults_of_19_kinds_nothing_is_lost(fake: FakeLLM, kind: str) -> None:
    fake.does(mix=sorted(TRANSIENT), share=0.35, seed=7)
    wanted, runs = section(provider(fake.url, kind), rows=1500), 0
    while runs < 4:
        done, held = filled(wanted)
        runs += 1
        assert done.stopped is None and held.due == 0 and len(held.rows) + held.given_up == 1500
        assert held.last_reasons().total() == held.given_up <= 15 and all(held.last_reasons())
        if not held.given_up:
            break
    saw = fake.saw()
    faults = sum(saw["faults"].values())
    print(f"{kind}: {faults} faults of {len(saw['faults'])} kinds in {saw['calls']} calls; {len(held.refused)} refused")
    assert held.balanced and len(held.rows) == 1500 and runs <= 3
    assert len(saw["faults"]) == 19 and faults >= 0.3 * saw["calls"] and saw["retry_counts"] == ["0"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "reason"), [("500", "http_500"), ("reset", "network"), ("hang", "deadline"), ("html", "envelope")]
)
def test_an_item_that_takes_its_server_down_is_given_up_too(fake: FakeLLM, fault: str, reason: str) -> None:
    fake.does(always=fault, only=slot("comparison", "yes", 1))
    done, held = filled(section(provider(fake.url, "openai"), rows=16))
    assert done.stopped is None and len(held.rows) == 15 and held.due == 0 and held.given_up == 1
    assert held.last_reasons() == {reason: 1} and fake.saw()["calls"] == 15 + 2 * MAX_ATTEMPTS


class Timed(FakeLLM):
    """A server that knows when it answered."""

    def __init__(self) -> None:
        super().__init__(self._at_a_time)
        self.times: list[float] = []

    def _at_a_time(self, prompt: str) -> str:
        self.times.append(time.monotonic())
        return think(prompt)

    def rate(self, first: int, last: int) -> float:
        """Answers per second between these two."""
        return (last - first) / (self.times[last] - self.times[first])


@pytest.mark.slow
@each_kind
def test_a_strict_window_is_used_up_and_never_overrun(kind: str) -> None:
    with Timed() as strict:
        strict.does(window={"allowed": 60, "seconds": 60}, latency=0.05)
        limits = {"rpm": 60, "in_flight": 32}
        done, held = filled(section(provider(strict.url, kind, limits=limits), rows=184))
        used = strict.rate(0, 180)
        print(f"{kind}: {used:.1%} of the allowance of three windows used, {strict.saw()['limited']} × 429")
        assert done.stopped is None and held.balanced and strict.saw()["limited"] == 0 and used >= 0.95


@pytest.mark.slow
def test_two_limits_are_both_used_up() -> None:
    with Timed() as large, Timed() as small:
        large.does(window={"allowed": 60, "seconds": 60})
        small.does(window={"allowed": 20, "seconds": 60})
        given = [(large, "openai", 60), (small, "anthropic", 20)]
        both = [provider(server.url, kind, limits={"rpm": rpm, "in_flight": 32}) for server, kind, rpm in given]
        done, held = filled(section(*both, rows=160))
        print(f"{len(large.times)} and {len(small.times)} of 160 calls in two windows")
        assert done.stopped is None and held.balanced and large.saw()["limited"] == small.saw()["limited"] == 0
        assert len(small.times) == 40 and len(large.times) == 120


@pytest.mark.slow
@pytest.mark.parametrize("dead", ["refused", "hang", "500"])
def test_a_dead_provider_costs_a_healthy_one_nothing(fake: FakeLLM, dead: str) -> None:
    alone, beside = _rate(), _rate(_dead(fake, dead))
    print(f"{dead}: {beside:.2f} answers a second beside a dead provider, {alone:.2f} alone")
    assert beside >= 0.95 * alone


def _dead(fake: FakeLLM, how: str) -> dict[str, Any]:
    if how != "refused":
        fake.does(always=how)
        return provider(fake.url, "openai")
    with socket.create_server(("127.0.0.1", 0)) as closed:
        return provider(f"http://127.0.0.1:{closed.getsockname()[1]}", "openai")


def _rate(*others: dict[str, Any]) -> float:
    """Answers per second of a healthy provider, once it is warm, with these beside it."""
    with Timed() as healthy:
        healthy.does(latency=1)
        own = provider(healthy.url, "anthropic", limits={"rpm": None, "in_flight": 16}, read_seconds=9, total_seconds=9)
        _, held = filled(section(*others, own, rows=400, seed=len(others)))
        assert held.balanced
        return healthy.rate(60, 380)

"""Sections that ask the fake server, and what a ledger holds afterwards."""

import asyncio
import random
from collections import Counter
from collections.abc import Coroutine
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
from pydantic import PrivateAttr

from credence.generation.ledger import LedgerReader
from credence.generation.ledger.group_commit import GroupCommit
from credence.generation.llm.messages import Reply, ReplyKind, Request, Usage
from credence.generation.llm.prices import Price, input_tokens
from credence.generation.llm.provider import Provider, RateLimits
from credence.generation.section import Generation
from tests.fakes.fake_llm import think

PRICE = {"input": 1.0, "output": 2.0}
INSTANT, LONGEST = 0.002, 60.0
BADLY: list[ReplyKind] = ["http", "truncated", "empty", "refusal", "network", "envelope", "deadline"]
# In the order in which a prompt spells a slot.
SLOT = '"category": "{}", "label": {}, "ordinal": {}}}'


def provider(url: str, kind: str, **more: Any) -> dict[str, Any]:
    """A provider of the task file that asks the fake with the real SDK of this kind."""
    address = url + ("/v1" if kind == "openai" else "")
    given = {"kind": kind, "name": kind, "model": "m-1", "base_url": address, "key_env": "FAKE_KEY"}
    policy = {"limits": {"rpm": None, "in_flight": 32}, "price": PRICE, "read_seconds": 1.5, "total_seconds": 3}
    return {**given, **policy, **more}


def section(*providers: dict[str, Any], rows: int = 40, **more: Any) -> Generation:
    """One item in every call, where nothing else is said."""
    return Generation(providers=list(providers), rows=rows, **{"items_per_call": 1, "budget_usd": None, **more})


def slot(category: str, label: str, ordinal: int) -> str:
    """What only the prompts of this slot hold."""
    return SLOT.format(category, "true" if label == "yes" else "false", ordinal)


class Held:
    """What a ledger holds."""

    def __init__(self, folder: Path) -> None:
        with LedgerReader(folder) as reader:
            self.rows: list[dict[str, Any]] = reader.results().to_pylist()
            self.calls: list[dict[str, Any]] = reader.attempts().to_pylist()
            self.refused: list[dict[str, Any]] = reader.quarantined().to_pylist()
            self.counts: list[dict[str, Any]] = reader.counts().to_pylist()
            self.spent, self.digest, self.due = reader.spent(), reader.digest(), len(reader.due())

    @property
    def balanced(self) -> bool:
        """Every place of every category and label has its row, and no row is there twice."""
        texts = Counter((row["category"], row["question"]) for row in self.rows)
        filled = all(cell["committed"] == cell["quota"] for cell in self.counts)
        return filled and self.due == 0 and max(texts.values()) == 1

    @property
    def given_up(self) -> int:
        """Slots that are not tried again."""
        return sum(cell["given_up"] for cell in self.counts)

    def last_reasons(self) -> Counter[str]:
        """Why each slot without a row was refused the last time."""
        there = {row["slot_id"] for row in self.rows}
        last = {entry["slot_id"]: entry["reason"] for entry in self.refused if entry["slot_id"] not in there}
        return Counter(last.values())


def exported(folder: Path, to: Path) -> str:
    """The SHA-256 of the data set as Parquet."""
    with LedgerReader(folder) as reader:
        return reader.export_parquet(to)


class _Leaping:
    """A selector that waits a little for what other threads do, and then lets the time pass that it should wait."""

    def __init__(self, loop: "LeapingLoop", selector: Any) -> None:
        self._loop, self._selector = loop, selector

    def select(self, timeout: float | None) -> Any:
        instant = LONGEST if timeout is None or self._loop.commits else INSTANT
        ready = self._selector.select(instant if timeout is None else min(timeout, instant))
        if not ready and timeout is None:
            raise RuntimeError("everything waits, and nothing happens")
        self._loop.now += timeout if timeout and not ready else 0
        return ready

    def __getattr__(self, name: str) -> Any:
        return getattr(self._selector, name)


class LeapingLoop(asyncio.SelectorEventLoop):
    """Minutes of waiting pass in an instant, while the ledger's thread works in real time."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.commits: set[Future[Any]] = set()
        super().__init__()
        self._selector = _Leaping(self, self._selector)  # type: ignore[has-type]

    def time(self) -> float:
        return self.now


def leaping(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run it where time leaps, but not while the ledger writes."""
    put = GroupCommit.put

    def counted(self: GroupCommit, *work: Any, **how: Any) -> Future[Any]:
        done: Future[Any] = put(self, *work, **how)
        loop.commits.add(done)
        done.add_done_callback(loop.commits.discard)
        return done

    with asyncio.Runner(loop_factory=LeapingLoop) as runner, pytest.MonkeyPatch.context() as patch:
        loop: Any = runner.get_loop()
        patch.setattr(GroupCommit, "put", counted)
        runner.run(coroutine)


class Simulated(Provider):
    """Answers well or badly by chance, and knows what it will bill: for failed answers and broken calls too.

    Prompts that hold a text of `deadly` make it fail; after `lasts` calls it fails for ever.
    """

    name: str = "simulated"
    model: str = "m-1"
    limits: RateLimits = RateLimits(rpm=None, in_flight=8)
    total_seconds: float = 20.0
    badly: float = 0.0
    deadly: tuple[str, ...] = ()
    lasts: int = 1_000_000
    seconds: tuple[float, ...] = (0.5, 1.0, 2.0)
    _dice: random.Random = PrivateAttr(default_factory=random.Random)
    _billed: int = PrivateAttr(default=0)
    _sent: list[float] = PrivateAttr(default_factory=list)

    @property
    def billed(self) -> int:
        """Nanodollars for all that was sent."""
        return self._billed

    @property
    def sent(self) -> list[float]:
        """When it was called."""
        return self._sent

    async def complete(self, request: Request) -> Reply:
        self._sent.append(asyncio.get_running_loop().time())
        usage = Usage(
            input=self._dice.randint(1, input_tokens(request)), output=self._dice.randint(1, request.max_tokens)
        )
        kind = self._dice.choice(BADLY) if self._dice.random() < self.badly else "ok"
        kills = len(self._sent) > self.lasts or any(text in request.user for text in self.deadly)
        kind = "http" if kills else kind
        self._billed += 0 if kind == "http" else Price(**PRICE).cost(usage)
        seconds = 30.0 if kind == "deadline" else self._dice.choice(self.seconds)
        await asyncio.sleep(seconds)
        status = (500 if kills else self._dice.choice((429, 500, 400))) if kind == "http" else None
        told = None if kind in ("http", "network", "deadline") else usage
        text = think(request.user) if kind == "ok" else None
        return Reply(kind=kind, text=text, usage=told, status=status, latency=seconds)

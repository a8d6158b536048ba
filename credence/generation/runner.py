"""A run from its first slot to its last: packs are taken as providers have time, and what is settled stays settled."""

import asyncio
import math
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress

from credence.generation.ledger import Ledger, RejectedItem, Slot, SlotResult
from credence.generation.llm.dispatcher import Dispatcher
from credence.generation.llm.metrics import LlmMetrics
from credence.generation.llm.provider import Provider
from credence.generation.llm.retry import ReplyAction
from credence.generation.writers.batching import SlotBatch, make_batches
from credence.generation.writers.cached_calls import CachedCaller, Deferred, NoAnswer, RunStopped
from credence.generation.writers.reply_parsing import REJECT_REASONS
from credence.generation.writers.writer import Named, RowWriter, WrittenBatch

TICK_SECONDS = 1.0
TRANSIENT_ATTEMPTS = 2
# A packed call may take a minute; with workers for less, a limit on calls would not be used up.
MIN_WORKERS, MAX_CALL_SECONDS = 4, 60
OnProgress = Callable[["Runner"], None]


class Runner:
    """One process's work on a ledger. `there`: rows by category, fewer again when one has to yield to another."""

    def __init__(
        self,
        ledger: Ledger,
        dispatcher: Dispatcher,
        asker: CachedCaller,
        writer: RowWriter,
        *,
        patience: float,
        meters: LlmMetrics | None = None,
        watch: OnProgress = lambda run: None,
    ) -> None:
        """`patience`: after so many seconds without any answer the run stops. `watch` is called every second."""
        self.ledger, self.dispatcher = ledger, dispatcher
        self._asker, self._writer, self._meters, self._watch = asker, writer, meters, watch
        self._patience, self._longest_rest = patience, 0.0
        self.began = time.monotonic()
        counts = ledger.counts().to_pylist()
        self.there, self.wanted = Counter[str](), Counter[str]()
        for row in counts:
            self.there[row["category"]] += row["committed"]
            self.wanted[row["category"]] += row["quota"]
        self.calls, self.items, self.before = 0, 0, self.there.total()
        self._queue: asyncio.Queue[SlotBatch] = asyncio.Queue()
        self._open, self._done, self.over = set[SlotBatch](), asyncio.Event(), False

    async def run(self, packs: Sequence[SlotBatch], providers: Sequence[Provider]) -> None:
        """Until every slot has its row or is given up. Raises Stopped where that cannot be."""
        if not packs:
            return
        for pack in packs:
            self._put(pack)
        tasks = [asyncio.create_task(self._work(turns)) for turns in _crew(providers)]
        tasks += [asyncio.create_task(self._over()), asyncio.create_task(self._keep_watch())]
        try:
            ended, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self.over = True
            self._watch(self)
        for task in ended:
            task.result()

    async def _over(self) -> None:
        await self._done.wait()

    def _put(self, pack: SlotBatch) -> None:
        self._open.add(pack)
        self._queue.put_nowait(pack)

    async def _work(self, turns: Sequence[Named]) -> None:
        while True:
            pack = await self._queue.get()
            try:
                written = await self._writer.write(pack, turns, self._asker.call)
            except Deferred as error:
                asyncio.get_running_loop().call_later(error.after, self._queue.put_nowait, pack)
                continue
            except NoAnswer as error:
                written = [_given_up(slot, error, alone=len(pack.slots) == 1) for slot in pack.slots]
            await self._settle(pack, written)

    async def _settle(self, pack: SlotBatch, written: WrittenBatch) -> None:
        """Record all of a call at once, and see who has to try again."""
        results = [entry for entry in written if isinstance(entry, SlotResult)]
        refused = [entry for entry in written if isinstance(entry, RejectedItem)]
        settled = await self.ledger.record_async(results, (), refused)
        own = {slot.slot_id for slot in pack.slots}
        again = [*settled.again, *settled.given_up]
        for slot in again:
            self.there[slot.category] -= slot.slot_id not in own
        self.there[pack.category] += len(settled.kept)
        self.calls, self.items = self.calls + 1, self.items + len(written)
        self._count(pack, settled.kept, refused, [slot.slot_id for slot in settled.given_up])
        items = {(r.slot_id, r.attempt): r.request_id for r in refused if r.reason in REJECT_REASONS}
        for following in make_batches(settled.again, self._writer.size, items):
            self._put(following)
        self._open.discard(pack)
        if not self._open:
            self._done.set()

    def _count(self, pack: SlotBatch, kept: list[str], refused: list[RejectedItem], given_up: list[str]) -> None:
        if self._meters is None:
            return
        reasons = {entry.slot_id: entry.reason for entry in refused}
        for slot in pack.slots:
            result = "accepted" if slot.slot_id in kept else reasons.get(slot.slot_id, "duplicate")
            self._meters.item(pack.category, pack.label, result)
            if slot.slot_id in given_up:
                self._meters.quarantined(result)

    async def _keep_watch(self) -> None:
        while not self._done.is_set():
            self._watch(self)
            await self._end_silence()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._done.wait(), TICK_SECONDS)

    async def _end_silence(self) -> None:
        """Where nobody answers any more: give up what is left if it alone is to blame, and otherwise stop."""
        rests = min((e.rests for e in self.dispatcher.standing() if e.stopped is None), default=0.0)
        self._longest_rest = max(self._longest_rest, rests)
        if self.dispatcher.silence() <= self._patience + self._longest_rest:
            return
        failed = _failed(self.ledger)
        left = list(self._open)
        if not self.there.total() or any(pack.slots[0].slot_id not in failed for pack in left):
            names = ", ".join(self.dispatcher.endpoints)
            raise RunStopped(f"no answer has come from {names} for {self._patience / 60:g} minutes")
        for pack in left:
            why = failed[pack.slots[0].slot_id]
            await self._settle(pack, [_refused(slot, *why, final=True) for slot in pack.slots])


def _crew(providers: Sequence[Provider]) -> list[list[Named]]:
    """The turns of every worker: each provider has as many of its own as its limits can keep busy."""
    named = [(p.name, p.model) for p in providers]
    return [named[i:] + named[:i] for i, p in enumerate(providers) for _ in range(_workers(p))]


def _workers(provider: Provider) -> int:
    limits = provider.limits
    if limits.rpm is None:
        return limits.in_flight
    return min(limits.in_flight, max(MIN_WORKERS, math.ceil(limits.rpm / 60 * MAX_CALL_SECONDS)))


def _failed(ledger: Ledger) -> dict[str, tuple[str, str]]:
    """Slot -> reason and request of the last call for it, where that failed on its way."""
    calls = ledger.attempts().select(["slot", "verdict", "reason", "request_id"]).to_pylist()
    last = {call["slot"]: call for call in calls if call["reason"] != "cancelled"}
    return {slot: (c["reason"], c["request_id"]) for slot, c in last.items() if c["verdict"] == ReplyAction.RETRY}


def _given_up(slot: Slot, error: NoAnswer, *, alone: bool) -> RejectedItem:
    """A slot whose call was not answered: tried alone next, and given up where that would not help."""
    final = alone and (not _transient(error.reason) or slot.attempt + 1 >= TRANSIENT_ATTEMPTS)
    return _refused(slot, error.reason, error.request.id, final=final)


def _refused(slot: Slot, reason: str, request_id: str, *, final: bool) -> RejectedItem:
    return RejectedItem(slot_id=slot.slot_id, attempt=slot.attempt, reason=reason, request_id=request_id, final=final)


def _transient(reason: str) -> bool:
    if reason.startswith("http_"):
        return reason in ("http_408", "http_409", "http_429") or not reason.startswith("http_4")
    return reason in ("network", "deadline", "envelope")

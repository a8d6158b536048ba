"""Fill a ledger's due slots: workers take batches from a queue, call the writer and record the results."""

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
# A call for a batch may take 60 s; fewer workers than that needs could not use up the limit on calls per minute.
MIN_WORKERS, MAX_CALL_SECONDS = 4, 60
OnProgress = Callable[["Runner"], None]


class Runner:
    """One process's work on a ledger.

    Attributes:
        there: Rows in the ledger by category. It can decrease when a row is displaced by a duplicate.
        wanted: Rows wanted by category.
        calls: Batches completed by this run.
        items: Items that these batches contained.
        before: Rows in the ledger when the run began.
        over: Whether the run has ended.
    """

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
        """Count what the ledger holds.

        Args:
            ledger: Where rows are recorded.
            dispatcher: Sends calls.
            asker: Calls through the cache.
            writer: Writes a batch's rows.
            patience: Seconds without any answer after which the run stops.
            meters: Metrics to update.
            watch: Called with the run every second and once at the end.
        """
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

    async def run(self, batches: Sequence[SlotBatch], providers: Sequence[Provider]) -> None:
        """Work until every slot has its row or is given up.

        Raises:
            RunStopped: That is impossible, such as when no provider answers or the budget is spent.
        """
        if not batches:
            return
        for batch in batches:
            self._put(batch)
        tasks = [asyncio.create_task(self._work(turns)) for turns in _turns_of_workers(providers)]
        tasks += [asyncio.create_task(self._until_done()), asyncio.create_task(self._keep_watch())]
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

    async def _until_done(self) -> None:
        await self._done.wait()

    def _put(self, batch: SlotBatch) -> None:
        self._open.add(batch)
        self._queue.put_nowait(batch)

    async def _work(self, turns: Sequence[Named]) -> None:
        while True:
            batch = await self._queue.get()
            try:
                written = await self._writer.write(batch, turns, self._asker.call)
            except Deferred as error:
                asyncio.get_running_loop().call_later(error.after, self._queue.put_nowait, batch)
                continue
            except NoAnswer as error:
                written = [_reject_unanswered(slot, error, alone=len(batch.slots) == 1) for slot in batch.slots]
            await self._record(batch, written)

    async def _record(self, batch: SlotBatch, written: WrittenBatch) -> None:
        """Record a batch's results in one transaction, and queue the slots that must be tried again."""
        results = [entry for entry in written if isinstance(entry, SlotResult)]
        rejected = [entry for entry in written if isinstance(entry, RejectedItem)]
        applied = await self.ledger.record_async(results, (), rejected)
        own = {slot.slot_id for slot in batch.slots}
        for slot in [*applied.again, *applied.given_up]:
            self.there[slot.category] -= slot.slot_id not in own
        self.there[batch.category] += len(applied.kept)
        self.calls, self.items = self.calls + 1, self.items + len(written)
        self._count(batch, applied.kept, rejected, [slot.slot_id for slot in applied.given_up])
        items = {(r.slot_id, r.attempt): r.request_id for r in rejected if r.reason in REJECT_REASONS}
        for following in make_batches(applied.again, self._writer.size, items):
            self._put(following)
        self._open.discard(batch)
        if not self._open:
            self._done.set()

    def _count(self, batch: SlotBatch, kept: list[str], rejected: list[RejectedItem], given_up: list[str]) -> None:
        if self._meters is None:
            return
        reasons = {entry.slot_id: entry.reason for entry in rejected}
        for slot in batch.slots:
            result = "accepted" if slot.slot_id in kept else reasons.get(slot.slot_id, "duplicate")
            self._meters.item(batch.category, batch.label, result)
            if slot.slot_id in given_up:
                self._meters.quarantined(result)

    async def _keep_watch(self) -> None:
        while not self._done.is_set():
            self._watch(self)
            await self._end_silence()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._done.wait(), TICK_SECONDS)

    async def _end_silence(self) -> None:
        """After `patience` without an answer, give up the open slots if each has failed before, otherwise stop.

        Raises:
            RunStopped: A slot is open that was never answered, so the endpoints and not the slots are to blame.
        """
        rests = min((e.rests for e in self.dispatcher.standing() if e.stopped is None), default=0.0)
        self._longest_rest = max(self._longest_rest, rests)
        if self.dispatcher.silence() <= self._patience + self._longest_rest:
            return
        failed = _failed_calls(self.ledger)
        left = list(self._open)
        if not self.there.total() or any(batch.slots[0].slot_id not in failed for batch in left):
            names = ", ".join(self.dispatcher.endpoints)
            raise RunStopped(f"no answer has come from {names} for {self._patience / 60:g} minutes")
        for batch in left:
            why = failed[batch.slots[0].slot_id]
            await self._record(batch, [_reject(slot, *why, final=True) for slot in batch.slots])


def _turns_of_workers(providers: Sequence[Provider]) -> list[list[Named]]:
    """List the provider order of every worker; each provider leads as many workers as its limits keep busy."""
    named = [(p.name, p.model) for p in providers]
    return [named[i:] + named[:i] for i, p in enumerate(providers) for _ in range(_workers(p))]


def _workers(provider: Provider) -> int:
    limits = provider.limits
    if limits.rpm is None:
        return limits.in_flight
    return min(limits.in_flight, max(MIN_WORKERS, math.ceil(limits.rpm / 60 * MAX_CALL_SECONDS)))


def _failed_calls(ledger: Ledger) -> dict[str, tuple[str, str]]:
    """Map slots whose last call failed in transport to its reason and request id."""
    calls = ledger.attempts().select(["slot", "verdict", "reason", "request_id"]).to_pylist()
    last = {call["slot"]: call for call in calls if call["reason"] != "cancelled"}
    return {slot: (c["reason"], c["request_id"]) for slot, c in last.items() if c["verdict"] == ReplyAction.RETRY}


def _reject_unanswered(slot: Slot, error: NoAnswer, *, alone: bool) -> RejectedItem:
    """Reject a slot whose call was not answered; final if it was alone in its batch and a retry would not help."""
    final = alone and (not _is_transient(error.reason) or slot.attempt + 1 >= TRANSIENT_ATTEMPTS)
    return _reject(slot, error.reason, error.request.id, final=final)


def _reject(slot: Slot, reason: str, request_id: str, *, final: bool) -> RejectedItem:
    return RejectedItem(slot_id=slot.slot_id, attempt=slot.attempt, reason=reason, request_id=request_id, final=final)


def _is_transient(reason: str) -> bool:
    if reason.startswith("http_"):
        return reason in ("http_408", "http_409", "http_429") or not reason.startswith("http_4")
    return reason in ("network", "deadline", "envelope")

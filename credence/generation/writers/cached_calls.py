"""One question to a language model: answered from the ledger where it was answered before, else by a provider."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from credence.generation.ledger import AttemptRecord, Ledger, LedgerReader
from credence.generation.llm.dispatcher import Dispatcher
from credence.generation.llm.messages import Reply, Request
from credence.generation.llm.retry import CONTENT_RETRIES, REFUSAL_RETRIES, UnusableReply
from credence.generation.llm.work_item import RESAMPLE, FailureCounts
from credence.generation.writers.batching import SlotBatch

ParseReply = Callable[[str], Any]


class Deferred(Exception):
    """Nobody can take the question now; ask again after so many seconds."""

    def __init__(self, after: float) -> None:
        super().__init__(after)
        self.after = after


class NoAnswer(Exception):
    """No further attempt at this question would help."""

    def __init__(self, reason: str, request: Request) -> None:
        super().__init__(reason)
        self.reason, self.request = reason, request


class RunStopped(Exception):
    """The run cannot go on: no provider is left, or no money. The message says which."""


@dataclass(frozen=True)
class LlmAnswer:
    """What the reader made of the reply, and the request that was answered."""

    value: Any
    request: Request


class CachedCaller:
    """Asks for a run. What earlier runs of the same task were answered counts as answered."""

    def __init__(
        self, ledger: Ledger, dispatcher: Dispatcher, earlier: Sequence[LedgerReader] = (), *, sample: int = 0
    ) -> None:
        """`sample`: the same question under another number is another question, with another answer."""
        self._ledger, self._dispatcher, self._earlier, self._sample = ledger, dispatcher, earlier, sample

    async def call(self, variants: Sequence[Request], read: ParseReply, pack: SlotBatch) -> LlmAnswer:
        """The answer to the variant that was answered before, or else to the first.

        Raises PutOff, Unanswered or Stopped.
        """
        variants = [r.model_copy(update={"sample": self._sample}) for r in variants]
        bad: list[NoAnswer] = []
        for variant in variants:
            for request, reply in self._kept(variant):
                await asyncio.sleep(0)
                try:
                    value = read(reply.text or "")
                except UnusableReply as error:
                    bad += [NoAnswer(str(error), request)] if variant is variants[0] else []
                    continue
                if not self._ledger.cached(request.id):
                    kept = AttemptRecord(request=request, reply=reply, verdict="accept", reason="kept")
                    self._ledger.record(attempts=[kept])
                return LlmAnswer(value, request)
        if len(bad) > CONTENT_RETRIES:
            raise bad[-1]
        counted = pack.tallies.get(variants[0].id, FailureCounts())
        return await self._asked(variants[0], read, pack, replace(counted, content=max(counted.content, len(bad))))

    async def _asked(self, request: Request, read: ParseReply, pack: SlotBatch, counted: FailureCounts) -> LlmAnswer:
        outcome = await self._dispatcher.call(request, slot=pack.slots[0].slot_id, read=read, tally=counted)
        match outcome.end:
            case "ok":
                return LlmAnswer(outcome.value, outcome.request or request)
            case "later":
                pack.tallies[request.id] = outcome.tally
                raise Deferred(outcome.after)
            case "quarantine":
                raise NoAnswer(outcome.reason, outcome.attempts[-1].request if outcome.attempts else request)
            case "spent":
                raise RunStopped("the budget does not pay for one more call")
            case "stopped":
                raise RunStopped(outcome.reason)

    def _kept(self, request: Request) -> list[tuple[Request, Reply]]:
        """The whole replies to it that were paid for before, here or for an earlier data set, bad texts among them.

        After a bad one another sample was asked for, with twice the room where that was lacking.
        """
        readers = (self._ledger, *self._earlier)
        if not any(reader.exchanges(request.id) for reader in readers):
            return []
        samples = [request.sample + i * RESAMPLE for i in range(CONTENT_RETRIES + REFUSAL_RETRIES + 1)]
        rooms = (request.max_tokens, 2 * request.max_tokens)
        asked = [request.model_copy(update={"sample": s, "max_tokens": m}) for s in samples for m in rooms]
        found = ((r, next(filter(None, (reader.cached(r.id) for reader in readers)), None)) for r in asked)
        return [(r, reply) for r, reply in found if reply]

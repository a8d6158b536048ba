"""Calls through the cache: reuse a stored reply if there is one, otherwise call a provider."""

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
    """No provider can take the request now; call again after `after` seconds."""

    def __init__(self, after: float) -> None:
        super().__init__(after)
        self.after = after


class NoAnswer(Exception):
    """Another attempt at this request would not help."""

    def __init__(self, reason: str, request: Request) -> None:
        super().__init__(reason)
        self.reason, self.request = reason, request


class RunStopped(Exception):
    """The run cannot continue; the message says why, such as no provider or no money left."""


@dataclass(frozen=True)
class LlmAnswer:
    """The parsed value of a reply, and the request that it answers."""

    value: Any
    request: Request


class CachedCaller:
    """Calls providers for a run and reuses replies, also from ledgers of the task's other data sets."""

    def __init__(
        self, ledger: Ledger, dispatcher: Dispatcher, earlier: Sequence[LedgerReader] = (), *, sample: int = 0
    ) -> None:
        """Create a caller.

        Args:
            ledger: The ledger of this run.
            dispatcher: Sends calls.
            earlier: Other ledgers whose replies are reused.
            sample: Number of the sample; another number gives other requests, with other replies.
        """
        self._ledger, self._dispatcher, self._earlier, self._sample = ledger, dispatcher, earlier, sample

    async def call(self, variants: Sequence[Request], read: ParseReply, batch: SlotBatch) -> LlmAnswer:
        """Return a stored usable reply to any variant, or else call for the first variant.

        Args:
            variants: The same request for different providers, by preference.
            read: Parses the text of a reply, or raises UnusableReply.
            batch: The slots it is for.

        Raises:
            Deferred: No provider can take the request now.
            NoAnswer: Another attempt would not help.
            RunStopped: No provider or no money is left.
        """
        variants = [r.model_copy(update={"sample": self._sample}) for r in variants]
        bad: list[NoAnswer] = []
        for variant in variants:
            for request, reply in self._stored_replies(variant):
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
        counted = batch.tallies.get(variants[0].id, FailureCounts())
        return await self._dispatch(variants[0], read, batch, replace(counted, content=max(counted.content, len(bad))))

    async def _dispatch(
        self, request: Request, read: ParseReply, batch: SlotBatch, counted: FailureCounts
    ) -> LlmAnswer:
        outcome = await self._dispatcher.call(request, slot=batch.slots[0].slot_id, read=read, tally=counted)
        match outcome.end:
            case "ok":
                return LlmAnswer(outcome.value, outcome.request or request)
            case "later":
                batch.tallies[request.id] = outcome.tally
                raise Deferred(outcome.after)
            case "quarantine":
                raise NoAnswer(outcome.reason, outcome.attempts[-1].request if outcome.attempts else request)
            case "spent":
                raise RunStopped("the budget does not pay for one more call")
            case "stopped":
                raise RunStopped(outcome.reason)

    def _stored_replies(self, request: Request) -> list[tuple[Request, Reply]]:
        """List the stored complete replies to a request and to its later samples, unusable texts included."""
        readers = (self._ledger, *self._earlier)
        if not any(reader.exchanges(request.id) for reader in readers):
            return []
        samples = [request.sample + i * RESAMPLE for i in range(CONTENT_RETRIES + REFUSAL_RETRIES + 1)]
        maximums = (request.max_tokens, 2 * request.max_tokens)
        asked = [request.model_copy(update={"sample": s, "max_tokens": m}) for s in samples for m in maximums]
        found = ((r, next(filter(None, (reader.cached(r.id) for reader in readers)), None)) for r in asked)
        return [(r, reply) for r, reply in found if reply]

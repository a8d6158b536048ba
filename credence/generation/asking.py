"""One question to a language model: answered from the ledger where it was answered before, else by a provider."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from credence.generation.packs import Pack
from credence.ledger import Attempt, Ledger, Reader
from credence.llm.dispatch import Dispatcher
from credence.llm.item import RESAMPLE
from credence.llm.messages import Reply, Request
from credence.llm.outcome import Tally
from credence.llm.retry import CONTENT_RETRIES, Unusable

Read = Callable[[str], Any]


class PutOff(Exception):
    """Nobody can take the question now; ask again after so many seconds."""

    def __init__(self, after: float) -> None:
        super().__init__(after)
        self.after = after


class Unanswered(Exception):
    """No further attempt at this question would help."""

    def __init__(self, reason: str, request: Request) -> None:
        super().__init__(reason)
        self.reason, self.request = reason, request


class Stopped(Exception):
    """The run cannot go on: no provider is left, or no money. The message says which."""


@dataclass(frozen=True)
class Answered:
    """What the reader made of the reply, and the request that was answered."""

    value: Any
    request: Request


class Asker:
    """Asks for a run. What earlier runs of the same task were answered counts as answered."""

    def __init__(self, ledger: Ledger, dispatcher: Dispatcher, earlier: Sequence[Reader] = ()) -> None:
        self._ledger, self._dispatcher, self._earlier = ledger, dispatcher, earlier

    async def ask(self, variants: Sequence[Request], read: Read, pack: Pack) -> Answered:
        """The answer to the variant that was answered before, or else to the first.

        Raises PutOff, Unanswered or Stopped.
        """
        request = next((r for r in variants if self._recalled(r)), variants[0])
        counted, unusable = pack.tallies.get(request.id, Tally()), 0
        first, slot = request.id, pack.slots[0].slot_id
        while reply := self._recalled(request):
            await asyncio.sleep(0)
            try:
                return Answered(read(reply.text or ""), request)
            except Unusable as error:
                unusable += 1
                counted = replace(counted, content=max(counted.content, unusable))
                if unusable > CONTENT_RETRIES:
                    raise Unanswered(str(error), request) from None
                request = request.model_copy(update={"sample": request.sample + RESAMPLE})
        outcome = await self._dispatcher.ask(request, slot=slot, read=read, tally=counted)
        match outcome.end:
            case "ok":
                return Answered(outcome.value, outcome.request or request)
            case "later":
                pack.tallies[first] = outcome.tally
                raise PutOff(outcome.after)
            case "quarantine":
                raise Unanswered(outcome.reason, outcome.attempts[-1].request if outcome.attempts else request)
            case "spent":
                raise Stopped("the budget does not pay for one more call")
            case "stopped":
                raise Stopped(outcome.reason)

    def _recalled(self, request: Request) -> Reply | None:
        """The reply that was paid for before, here or for an earlier data set, which this ledger then holds as well."""
        if reply := self._ledger.cached(request.id):
            return reply
        for reader in self._earlier:
            if reply := reader.cached(request.id):
                self._ledger.record(attempts=[Attempt(request=request, reply=reply, verdict="accept", reason="kept")])
                return reply
        return None

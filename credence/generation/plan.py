"""What a run would do and cost at most, said before anything is asked."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from credence.durations import spoken
from credence.errors import BadInput
from credence.generation.generate import folder_of, prices_of, providers_of, writer_of
from credence.generation.packs import packed
from credence.generation.section import Generation, Quotas
from credence.ledger import Reader, Slot, slots
from credence.llm.canonical import digest
from credence.llm.messages import Request
from credence.llm.prices import DOLLAR, Price, dollars, input_tokens, read_on
from credence.providers import Provider
from credence.summary import aligned

LATENCY_SECONDS = 10.0


@dataclass
class Share:
    """What one provider is asked: tokens and cost at most, seconds at least."""

    calls: int = 0
    input: int = 0
    output: int = 0
    cost: int = 0
    seconds: float = 0.0


def plan(task: str, section: Generation) -> str:
    """The slots, what is there already, and what the rest takes of every provider: calls, tokens, money, time."""
    providers, writer = providers_of(section), writer_of(section)
    due, folder = _due(task, section)
    packs = packed(due, writer.size, {})
    named = [(p.name, p.model) for p in providers]
    shares = {p.name: Share() for p in providers}
    prices = prices_of(section, providers)
    for i, pack in enumerate(packs):
        start = i % len(named)
        for request in writer.foreseen(pack, named[start:] + named[:start]):
            _add(shares[request.provider], request, prices[request.provider])
    for provider in providers:
        shares[provider.name].seconds = _seconds(shares[provider.name], provider)
    return "\n".join([*_slots(section.wanted(), due), *_calls(shares, section), *_keys(providers), f"ledger: {folder}"])


def _due(task: str, section: Generation) -> tuple[list[Slot], Path]:
    folder = folder_of(task, section)
    wanted = slots(digest(section.spec(writer_of(section).templates)), section.wanted())
    try:
        with Reader(folder) as reader:
            return reader.due(), folder
    except BadInput:
        return wanted, folder


def _add(share: Share, request: Request, price: Price) -> None:
    share.calls += 1
    share.input += input_tokens(request)
    share.output += request.max_tokens
    share.cost += price.most(request)


def _seconds(share: Share, provider: Provider) -> float:
    """As fast as the limits let it, were every answer to take ten seconds; nothing where no network is asked."""
    if provider.key_env is None and provider.limits.rpm is None:
        return 0.0
    limits = provider.limits
    slowest = [share.calls * LATENCY_SECONDS / limits.in_flight]
    slowest += [60 * share.calls / limits.rpm] if limits.rpm else []
    slowest += [60 * (share.input + share.output) / limits.tpm] if limits.tpm else []
    return max(slowest)


def _slots(quotas: Quotas, due: Sequence[Slot]) -> list[str]:
    missing = Counter((slot.category, slot.label) for slot in due)
    wanted = sum(sum(cells.values()) for cells in quotas.values())
    lines = [f"{wanted:,} rows wanted, {wanted - len(due):,} of them in the ledger, {len(due):,} to write"]
    for category, cells in quotas.items():
        shown = [f"{label} {rows - missing[category, label]:,}/{rows:,}" for label, rows in cells.items()]
        lines.append(f"  {category}: {', '.join(shown)}")
    return lines


def _calls(shares: dict[str, Share], section: Generation) -> list[str]:
    table = pd.DataFrame(
        [
            [name, f"{s.calls:,}", f"{s.input:,}", f"{s.output:,}", dollars(s.cost), _spoken(s.seconds)]
            for name, s in shares.items()
        ],
        columns=["provider", "calls", "tokens in, at most", "tokens out, at most", "cost, at most", "time, at least"],
    )
    total = sum(s.cost for s in shares.values())
    limit = section.budget_usd
    short = limit is not None and total > limit * DOLLAR
    said = "no limit" if limit is None else f"${limit:,.2f}{', which may not pay for all of it' if short else ''}"
    return [
        aligned(table),
        f"at most {dollars(total)} without second attempts, by prices of {read_on()}; budget: {said}",
    ]


def _spoken(seconds: float) -> str:
    return spoken(round(seconds)) if seconds >= 1 else "–"


def _keys(providers: Sequence[Provider]) -> list[str]:
    lines = []
    for provider in providers:
        try:
            provider.key()
        except BadInput as error:
            lines.append(f"missing: {error}")
    return lines

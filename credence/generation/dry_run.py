"""Plan a generation run without calling a model: rows, calls, tokens, cost and time."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from credence.core.errors import InputError
from credence.core.time_format import format_duration
from credence.generation.generate import generation_run_folder, prices_of, providers_of, writer_of
from credence.generation.ledger import LedgerReader, Slot, slots
from credence.generation.ledger.database import DATABASE_FILE, NOT_BEGUN
from credence.generation.llm.messages import Request
from credence.generation.llm.prices import DOLLAR, dollars, input_tokens, read_on
from credence.generation.llm.provider import Provider
from credence.generation.section import Generation, Quotas
from credence.generation.writers.batching import RejectedItems, make_batches, rejected_items
from credence.reporting.number_format import align_columns

LATENCY_SECONDS = 10.0


@dataclass
class ProviderShare:
    """What a plan asks of one provider.

    Attributes:
        calls: Number of calls.
        input: Input tokens, upper bound.
        output: Output tokens, upper bound.
        cost: Nanodollars, upper bound.
        seconds: Run time, lower bound.
    """

    calls: int = 0
    input: int = 0
    output: int = 0
    cost: int = 0
    seconds: float = 0.0


@dataclass(frozen=True)
class _ExistingRows:
    """What a ledger holds already: slots without a row, items rejected for them, nanodollars spent."""

    due: list[Slot]
    refused: RejectedItems
    spent: int


def generation_plan(task: str, section: Generation) -> str:
    """Format the plan of a run as text.

    It lists the rows wanted and those in the ledger, then what each provider is asked: calls, tokens, cost, time.

    Args:
        task: The task's name.
        section: The task's section `generation`.

    Raises:
        InputError: The section cannot be run, or an existing ledger is damaged.
    """
    providers, writer, folder = providers_of(section), writer_of(section), generation_run_folder(task, section)
    existing, prices = _existing_rows(folder, slots(folder.name, section.wanted())), prices_of(section, providers)
    named = [(p.name, p.model) for p in providers]
    shares, most = {p.name: ProviderShare() for p in providers}, 0
    for i, batch in enumerate(make_batches(existing.due, writer.size, existing.refused)):
        start = i % len(named)
        for request in writer.foreseen(batch, named[start:] + named[:start]):
            costs = {p.name: prices[p.name].most(p.with_max_tokens(request)) for p in providers}
            asked = next(p for p in providers if p.name == request.provider)
            _add(shares[asked.name], asked.with_max_tokens(request), costs[asked.name])
            most += max(costs.values())
    for provider in providers:
        shares[provider.name].seconds = _seconds(shares[provider.name], provider)
    rows = _slot_lines(section.wanted(), existing.due)
    cost = _cost_line(most, existing.spent, section.budget_usd)
    return "\n".join([*rows, _table(shares), cost, *_missing_keys(providers), f"ledger: {folder}"])


def _existing_rows(folder: Path, wanted: list[Slot]) -> _ExistingRows:
    try:
        with LedgerReader(folder) as reader:
            rows = set(reader.results()["slot_id"].to_pylist())
            due = {slot.slot_id: slot for slot in reader.due()}
            left = [due.get(s.slot_id, s.model_copy(update={"attempt": 1})) for s in wanted if s.slot_id not in rows]
            return _ExistingRows(left if rows or due else wanted, rejected_items(reader), reader.spent().total)
    except InputError as error:
        if (folder / DATABASE_FILE).exists() and NOT_BEGUN not in str(error):
            raise
        return _ExistingRows(wanted, {}, 0)


def _add(share: ProviderShare, request: Request, cost: int) -> None:
    share.calls += 1
    share.input += input_tokens(request)
    share.output += request.max_tokens
    share.cost += cost


def _seconds(share: ProviderShare, provider: Provider) -> float:
    """Estimate the time that the rate limits need if every call takes 10 s; 0 if no network is used."""
    if provider.key_env is None and provider.limits.rpm is None:
        return 0.0
    limits = provider.limits
    slowest = [share.calls * LATENCY_SECONDS / limits.in_flight]
    slowest += [60 * share.calls / limits.rpm] if limits.rpm else []
    slowest += [60 * (share.input + share.output) / limits.tpm] if limits.tpm else []
    return max(slowest)


def _slot_lines(quotas: Quotas, due: Sequence[Slot]) -> list[str]:
    missing = Counter((slot.category, slot.label) for slot in due)
    wanted = sum(sum(cells.values()) for cells in quotas.values())
    lines = [f"{wanted:,} rows wanted, {wanted - len(due):,} of them in the ledger, {len(due):,} to write"]
    for category, cells in quotas.items():
        shown = [f"{label} {rows - missing[category, label]:,}/{rows:,}" for label, rows in cells.items()]
        lines.append(f"  {category}: {', '.join(shown)}")
    return lines


def _table(shares: dict[str, ProviderShare]) -> str:
    rows = [
        [name, f"{s.calls:,}", f"{s.input:,}", f"{s.output:,}", dollars(s.cost), _duration(s.seconds)]
        for name, s in shares.items()
    ]
    bounds = ["tokens in, at most", "tokens out, at most", "cost, at most", "time, at least"]
    calls = "calls, taking turns" if len(shares) > 1 else "calls"
    return align_columns(pd.DataFrame(rows, columns=["provider", calls, *bounds]))


def _cost_line(most: int, spent: int, limit: float | None) -> str:
    said = "no limit" if limit is None else f"${limit:,.2f}"
    said += f", {dollars(spent)} of it spent" if spent else ""
    said += ", which may not pay for all of it" if limit is not None and spent + most > limit * DOLLAR else ""
    return f"at most {dollars(most)} whoever answers, without second attempts, by prices of {read_on()}; budget: {said}"


def _duration(seconds: float) -> str:
    return format_duration(round(seconds)) if seconds >= 1 else "–"


def _missing_keys(providers: Sequence[Provider]) -> list[str]:
    lines = []
    for provider in providers:
        try:
            provider.key()
        except InputError as error:
            lines.append(f"missing: {error}")
    return lines

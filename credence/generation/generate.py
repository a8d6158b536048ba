"""From a section to a ledger that holds its rows: opened, filled until nothing is due, and closed whatever happens."""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry

from credence.core.errors import InputError
from credence.core.file_lock import FileLock
from credence.core.paths import generation_folder
from credence.core.textfile_metrics import export_metrics
from credence.generation import signals
from credence.generation.ledger import AttemptRecord, Ledger, LedgerReader, ledger_folder, slots
from credence.generation.ledger import database as ledger_database
from credence.generation.llm.budget import Budget
from credence.generation.llm.dispatcher import Dispatcher
from credence.generation.llm.metrics import LlmMetrics
from credence.generation.llm.prices import Price, price_of
from credence.generation.llm.provider import Provider
from credence.generation.runner import OnProgress, Runner
from credence.generation.section import Generation
from credence.generation.writers.batching import make_batches, rejected_items
from credence.generation.writers.cached_calls import CachedCaller, RunStopped
from credence.generation.writers.examples import Examples
from credence.generation.writers.statements import Statements
from credence.generation.writers.writer import RowWriter

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class GenerationResult:
    """The ledger's folder, and why the run stopped before its end, if it did."""

    folder: Path
    stopped: str | None = None


def writer_of(section: Generation) -> RowWriter:
    """Who fills the section's slots."""
    return Statements(section.items_per_call) if section.topic is None else Examples(section)


def providers_of(section: Generation) -> list[Provider]:
    """The section's providers. BadInput where two have one name or too few of the models differ."""
    built: list[Provider] = [spec.build() for spec in section.providers]
    names, models = [p.name for p in built], {p.model for p in built}
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise InputError(f"generation.providers: two are called {twice[0]!r}; give each a name of its own.")
    if section.topic is not None and len(models) < section.agreement:
        raise InputError(
            f"generation.providers: {section.agreement} different models have to agree on every example, and "
            f"{len(models)} were given; add a provider with another model."
        )
    if section.topic is not None and any(spec.kind == "offline" for spec in section.providers):
        raise InputError(
            "generation.providers: the offline provider writes arithmetic only; a topic needs other models."
        )
    return built


def prices_of(section: Generation, providers: Sequence[Provider]) -> dict[str, Price]:
    """The price of every provider, by its name. BadInput where a model has none."""
    given = zip(section.providers, providers, strict=True)
    return {provider.name: spec.price or price_of(provider.model) for spec, provider in given}


def check_ready(section: Generation) -> tuple[RowWriter, list[Provider]]:
    """Writer and providers. BadInput where a key is missing, a price is unknown or the budget too small for a call."""
    writer, providers = writer_of(section), providers_of(section)
    prices, budget = prices_of(section, providers), Budget(section.budget_usd)
    for provider in providers:
        provider.key()
    named = [(p.name, p.model) for p in providers]
    rows, category, label = max((n, c, label) for c, cells in section.wanted().items() for label, n in cells.items())
    [largest] = make_batches(slots("", {category: {label: min(rows, writer.size)}}), writer.size, {})
    for i in range(len(named)):
        for request in writer.foreseen(largest, named[i:] + named[:i]):
            budget.check(prices[request.provider].most(request), request.model)
    return writer, providers


def generation_run_folder(task: str, section: Generation) -> Path:
    """Where the ledger of this data set is."""
    return ledger_folder(task, section.spec(writer_of(section).templates))


def generate(
    task: str, section: Generation, watch: OnProgress = lambda run: None, *, fresh: bool = False
) -> GenerationResult:
    """Fill the ledger of the section's data set, going on where an earlier run stopped.

    Args:
        watch: is called every second, and once at the end, with the run.
        fresh: begin anew, and pay for everything again; the ledger of before stays beside it under another name.

    Raises BadInput before any call where a key is missing, a price is unknown or the budget is too small for one.
    """
    writer, providers = check_ready(section)
    spec = section.spec(writer.templates)
    folder = ledger_folder(task, spec)
    if fresh:
        archive_ledger(folder)
    registry = CollectorRegistry()
    meters = LlmMetrics(registry)
    with ExitStack() as stack:
        stack.enter_context(export_metrics(registry, generation_folder(task) / "metrics.prom"))
        ledger = stack.enter_context(Ledger(folder, spec, on_commit=meters.committed))
        earlier = [] if fresh else [stack.enter_context(reader) for reader in _earlier(folder, spec)]
        ledger.due_slots(slots(ledger.spec_id, section.wanted()))
        ledger.reopen()
        try:
            signals.run_until_signalled(_fill(section, ledger, writer, providers, earlier, meters, watch))
        except RunStopped as error:
            return GenerationResult(folder, str(error))
    return GenerationResult(folder)


def archive_ledger(folder: Path) -> None:
    """Give a ledger another name. BadInput where a run writes it."""
    if folder.exists():
        lock = FileLock(folder)
        try:
            stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%f")
            folder.rename(folder.parent.parent / f"ledger_before_{stamp}_{folder.name}")
        finally:
            lock.release()


async def _fill(
    section: Generation,
    ledger: Ledger,
    writer: RowWriter,
    providers: Sequence[Provider],
    earlier: Sequence[LedgerReader],
    meters: LlmMetrics,
    watch: OnProgress,
) -> None:
    budget = Budget(section.budget_usd, spent=ledger.spent().total, journal=ledger)
    dispatcher = Dispatcher(
        providers,
        budget,
        failover=writer.failover,
        prices=prices_of(section, providers),
        meters=meters,
        on_attempt=lambda attempt: ledger.note(AttemptRecord.of(attempt)),
    )
    packs = make_batches(ledger.due(), writer.size, rejected_items(ledger))
    run = Runner(
        ledger,
        dispatcher,
        CachedCaller(ledger, dispatcher, earlier, sample=section.seed),
        writer,
        patience=60 * section.patience_minutes,
        meters=meters,
        watch=watch,
    )
    try:
        await run.run(packs, providers)
    finally:
        await asyncio.gather(*(provider.close() for provider in providers))


def _earlier(folder: Path, spec: dict[str, Any]) -> list[LedgerReader]:
    """The ledgers of the task's other data sets: what they paid for is not paid for again."""
    readers = []
    for other in sorted(
        f.parent for f in folder.parent.glob(f"*/{ledger_database.DATABASE_FILE}") if f.parent != folder
    ):
        try:
            reader = LedgerReader(other)
        except InputError as error:
            # Killed before its first table was there, damaged, or of another version: this data set can do without.
            _log.warning("not looked through for answers: %s", error)
            continue
        if _of_the_same(reader, spec["providers"]):
            readers.append(reader)
        else:
            reader.close()
    return readers


def _of_the_same(reader: LedgerReader, providers: Sequence[dict[str, Any]]) -> bool:
    """Whether what is called the same there is the same: at another address, or with another seed, it is not."""
    ours = {(p.get("kind"), p.get("name"), p.get("model")): p for p in providers}
    try:
        theirs = reader.spec()["providers"]
    except InputError:
        return False
    return all(ours.get((p.get("kind"), p.get("name"), p.get("model")), p) == p for p in theirs)

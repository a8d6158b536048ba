"""Run a task's section `generation`: open its ledger, fill it until no slot is due, and close it."""

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
    """The ledger's folder, and why the run stopped early, or None."""

    folder: Path
    stopped: str | None = None


def writer_of(section: Generation) -> RowWriter:
    """Create the writer that fills the section's slots: statements, or examples if it has a topic."""
    return Statements(section.items_per_call) if section.topic is None else Examples(section)


def providers_of(section: Generation) -> list[Provider]:
    """Create the section's providers.

    Raises:
        InputError: Two have the same name, too few models differ, or the offline provider is given a topic.
    """
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
    """Return the price of every provider by its name.

    Raises:
        InputError: A model is not in the price file and the provider gives no price.
    """
    given = zip(section.providers, providers, strict=True)
    return {provider.name: spec.price or price_of(provider.model) for spec, provider in given}


def check_ready(section: Generation) -> tuple[RowWriter, list[Provider]]:
    """Create writer and providers and check that a run can start.

    Raises:
        InputError: A key is missing, a price is unknown, or the budget is too small for one call.
    """
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
    """Return the folder of this data set's ledger."""
    return ledger_folder(task, section.spec(writer_of(section).templates))


def generate(
    task: str, section: Generation, watch: OnProgress = lambda run: None, *, fresh: bool = False
) -> GenerationResult:
    """Fill the ledger of the section's data set, continuing an earlier run.

    Args:
        task: The task's name.
        section: The task's section `generation`.
        watch: Called with the run every second and once at the end.
        fresh: Start over and pay for everything again; the existing ledger is renamed and kept.

    Raises:
        InputError: Before any call, if a key is missing, a price is unknown or the budget is too small for one call.
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
    """Rename a ledger so that the next run starts a new one.

    Raises:
        InputError: A run is writing it.
    """
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
    batches = make_batches(ledger.due(), writer.size, rejected_items(ledger))
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
        await run.run(batches, providers)
    finally:
        await asyncio.gather(*(provider.close() for provider in providers))


def _earlier(folder: Path, spec: dict[str, Any]) -> list[LedgerReader]:
    """Open the ledgers of the task's other data sets, whose replies are reused."""
    readers = []
    for other in sorted(
        f.parent for f in folder.parent.glob(f"*/{ledger_database.DATABASE_FILE}") if f.parent != folder
    ):
        try:
            reader = LedgerReader(other)
        except InputError as error:
            # Killed before its tables were created, damaged, or of another version: reuse is optional.
            _log.warning("no replies are reused from this ledger: %s", error)
            continue
        if _has_same_providers(reader, spec["providers"]):
            readers.append(reader)
        else:
            reader.close()
    return readers


def _has_same_providers(reader: LedgerReader, providers: Sequence[dict[str, Any]]) -> bool:
    """Return whether providers of the same kind, name and model also have the same address and seed there."""
    ours = {(p.get("kind"), p.get("name"), p.get("model")): p for p in providers}
    try:
        theirs = reader.spec()["providers"]
    except InputError:
        return False
    return all(ours.get((p.get("kind"), p.get("name"), p.get("model")), p) == p for p in theirs)

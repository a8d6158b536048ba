"""The quality report of a generated data set, computed from its ledger."""

import pandas as pd

from credence.core.registry import StrictModel
from credence.generation.arithmetic import check_statement
from credence.generation.ledger import LedgerReader
from credence.generation.llm.prices import dollars
from credence.generation.quality.content_analysis import (
    DuplicateSummary,
    LabelLeakage,
    NumberSummary,
    find_duplicates,
    measure_label_leakage,
    summarize_numbers,
)
from credence.generation.quality.costs import CallCosts, call_costs
from credence.generation.quality.item_outcomes import ItemOutcomes, RowsKind, item_outcomes
from credence.reporting.number_format import format_percent, plural
from credence.reporting.proportion import Proportion, proportion

COLUMNS = ["category", "question", "answer", "answer_verified", "checker_version", "source", "request_id"]


class QualityReport(StrictModel):
    """The quality of a generated data set.

    Attributes:
        writer: Whether the rows are statements or examples.
        agreement: How many models had to agree on the label of an example.
        items: Outcome of the items.
        wrong: Statements whose answer differs from the truth recomputed from their text; None for examples.
        unchecked: Rows neither verified nor (examples) agreed on by `agreement` models.
        repeats: Duplicates.
        tells: Label leakage.
        numbers: Numbers in the texts.
        expenses: Cost of calls.
        calls_per_row: Calls for each row; None without rows.
        digest: The data set's digest.
    """

    writer: RowsKind
    agreement: int
    items: ItemOutcomes
    wrong: Proportion | None
    unchecked: Proportion
    repeats: DuplicateSummary
    tells: LabelLeakage
    numbers: list[NumberSummary]
    expenses: CallCosts
    calls_per_row: float | None
    digest: str

    @property
    def sentence(self) -> str:
        """Summarize the report in one line."""
        found, cost, held = self.items, dollars(self.expenses.cost), self.expenses.held
        gone = [plural(found.given_up, "place") + " given up"] if found.given_up else []
        about = [self._checked(), plural(self.repeats.duplicates.count, "exact duplicate")] if found.rows else []
        waits = f", and {dollars(held)} held for calls whose end is unknown" if held else ""
        return f"{', '.join([f'{found.rows:,} of {found.wanted:,} rows', *gone, *about])}; {cost}{waits}"

    @property
    def faults(self) -> list[str]:
        """List what makes the data set unfit for use."""
        of = f"of {self.items.rows:,}"
        wrong, unchecked = self.wrong.count if self.wrong else 0, self.unchecked.count
        twice = self.repeats.duplicates.count
        found = {
            f"{plural(wrong, 'row')} {of} wrong by the independent check.": wrong,
            f"{plural(unchecked, 'row')} {of} with a label that nothing confirmed.": unchecked,
            f"{plural(twice, 'row')} {of} repeated from another row.": twice,
        }
        return [sentence for sentence, count in found.items() if count]

    @property
    def cautions(self) -> list[str]:
        """List what to know before using the data set."""
        absent, gone = self.items.wanted - self.items.rows, self.items.given_up
        places = f"{plural(gone, 'place')} given up, {absent - gone:,} still open"
        missing = [f"{plural(absent, 'row')} of {self.items.wanted:,} missing: {places}."] if absent > 0 else []
        return missing + [
            f"{s.category}: words and digits tell the label of {format_percent(s.accuracy)} of unseen texts, "
            f"where {format_percent(s.permitted)} is permitted."
            for s in self.tells.flagged()
        ]

    def _checked(self) -> str:
        if self.wrong is not None:
            return f"{f'{self.wrong.count:,}' if self.wrong.count else 'none'} wrong by the independent check"
        if self.unchecked.count:
            return f"{plural(self.unchecked.count, 'label')} without the agreement of {self.agreement} models"
        return f"each label agreed on by {self.agreement} different models"


def examine_generation(reader: LedgerReader) -> QualityReport:
    """Build the report from a ledger, also while a run fills it.

    Raises:
        InputError: No run has begun in the ledger.
    """
    spec, rows = reader.spec(), reader.results().select(COLUMNS).to_pandas()
    writer: RowsKind = "examples" if spec.get("writer") == "examples" else "statements"
    attempts = reader.attempts()
    found, spending = item_outcomes(reader, attempts, rows, writer), call_costs(attempts, reader.spent())
    agreement = spec.get("agreement", 2)
    return QualityReport(
        writer=writer,
        agreement=agreement,
        items=found,
        wrong=proportion(_wrong(rows), len(rows)) if writer == "statements" else None,
        unchecked=proportion(_unchecked(rows, writer, agreement), len(rows)),
        repeats=find_duplicates(rows),
        tells=measure_label_leakage(rows, found.labels(), lexical=writer == "examples"),
        numbers=summarize_numbers(rows),
        expenses=spending,
        calls_per_row=spending.calls / len(rows) if len(rows) else None,
        digest=reader.digest(),
    )


def _wrong(rows: pd.DataFrame) -> int:
    """Count texts whose recomputed category or truth differs from their row's."""
    checked = [(c.category, "yes" if c.truth else "no") if c else None for c in map(check_statement, rows["question"])]
    return sum(c != row for c, row in zip(checked, zip(rows["category"], rows["answer"], strict=True), strict=True))


def _unchecked(rows: pd.DataFrame, writer: RowsKind, agreement: int) -> int:
    checked = rows["answer_verified"].astype(bool)
    if writer == "examples":
        checked |= rows["checker_version"] == f"agreement/{agreement}"
    return int((~checked).sum())

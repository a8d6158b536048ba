"""Store the rows as an artifact and, if the task asks for it, as JSON Lines and in a database."""

from pathlib import Path
from typing import Annotated

import pandas as pd
from zenml import ArtifactConfig, step

from credence.core.errors import InputError
from credence.generation.ledger import LedgerReader
from credence.generation.section import Generation
from materializers.rows import RowsMaterializer
from steps.shared import tracking


@step(enable_cache=False, output_materializers=RowsMaterializer)  # writes outside the artifact store
def store_rows(
    task: str, section: Generation, ledger: str, stopped: str
) -> Annotated[pd.DataFrame, ArtifactConfig(name="{task}.rows")]:
    """Store the rows, sorted by content id.

    Raises:
        InputError: Writing stopped early or too many rows are missing; nothing is stored.
    """
    with LedgerReader(Path(ledger)) as reader:
        refuse_incomplete(reader, section, stopped)
        rows = reader.results()
        facts = {"rows": rows.num_rows, "digest": reader.digest()}
        if section.export:
            facts["jsonl_sha256"] = reader.export_jsonl(section.export)
        if section.sink:
            section.sink.write(rows, Path(ledger).name)
    tracking.log_run_metadata(facts)
    tracking.log_line(f"{rows.num_rows:,} rows stored as {task}.rows")
    table: pd.DataFrame = rows.to_pandas()
    return table


def refuse_incomplete(reader: LedgerReader, section: Generation, stopped: str) -> None:
    """Check that every category and label has the share of rows that the section asks for (`complete`).

    Raises:
        InputError: One has fewer, or the run was stopped.
    """
    counts = reader.counts().to_pylist()
    there, wanted = (sum(row[name] for row in counts) for name in ("committed", "quota"))
    kept = f"{there:,} of {wanted:,} rows are kept"
    if stopped:
        raise InputError(
            f"{stopped}; {kept}. Mend that and run the same command again: it goes on from there, and nothing is paid "
            "for twice."
        )
    for row in counts:
        if row["committed"] < section.complete * row["quota"]:
            raise InputError(
                f"{row['category']}, {row['label']}: {row['committed']:,} of {row['quota']:,} rows, and "
                f"{row['given_up']:,} places were given up ({_reasons(reader)}); {kept}. Run the same command to try "
                "those again, or lower generation.complete."
            )


def _reasons(reader: LedgerReader) -> str:
    """List the three most frequent reasons of rejection."""
    counts = reader.quarantined().to_pandas()["reason"].value_counts()
    return ", ".join(f"{reason} {count:,} ×" for reason, count in counts.head(3).items())

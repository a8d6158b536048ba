"""The end of a run on the screen: a short table, the verdict in a sentence."""

from collections.abc import Sequence

import pandas as pd

from credence.gate import Verdict
from credence.report import Report


def summary(report: Report, verdict: Verdict, cached: Sequence[str], steps: int) -> str:
    """The table of candidates, how much of the run came from the cache, and the verdict."""
    saved = f"{len(cached)} of {steps} steps were served from the cache.\n" if cached else ""
    return f"\n{aligned(report.table())}\n\n{saved}{verdict.outcome}: {verdict.reason}"


def aligned(table: pd.DataFrame) -> str:
    """A table in plain text: words to the left, figures to the right."""
    cells = [list(map(str, table.columns)), *table.astype(str).values.tolist()]
    widths = [max(len(row[i]) for row in cells) for i in range(len(table.columns))]
    return "\n".join(
        "  ".join(c.ljust(w) if i == 0 else c.rjust(w) for i, (c, w) in enumerate(zip(row, widths, strict=True)))
        for row in cells
    )

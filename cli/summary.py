"""The end of a run on the screen: a short table, the verdict in a sentence."""

from collections.abc import Sequence

from credence.evaluation.gate import Verdict
from credence.reporting.model_report.report import Report
from credence.reporting.number_format import align_columns


def summary(report: Report, verdict: Verdict, cached: Sequence[str], steps: int) -> str:
    """The table of candidates, how much of the run came from the cache, and the verdict."""
    saved = f"{len(cached)} of {steps} steps were served from the cache.\n" if cached else ""
    return f"\n{align_columns(report.table())}\n\n{saved}{verdict.outcome}: {verdict.reason}"

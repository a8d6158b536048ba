"""Check the rows for problems that would invalidate the evaluation, before training."""

from typing import Annotated

import pandas as pd
from zenml import step

from credence.data import checks as data_checks
from credence.data.checks import Checks, Findings
from credence.data.split import Split, assign_parts
from steps.shared import tracking


@step
def check_rows(rows: pd.DataFrame, checks: Checks, split: Split) -> Annotated[Findings, "findings"]:
    """Check the rows and return the findings.

    Raises:
        InputError: No model can be trained on these rows.
    """
    findings = data_checks.check_rows(rows, assign_parts(rows, split), checks)
    tracking.log_run_metadata({"findings": {f.check: f.message for f in findings.findings}})
    for finding in findings.findings:
        if finding.level != "note":
            tracking.log_line(f"{finding.level}: {finding.message}")
    return findings

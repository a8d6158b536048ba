"""The generation pipeline: plan -> rows written by language models -> quality report -> stored rows."""

from typing import Any

from zenml import pipeline
from zenml.enums import ExecutionMode

from credence.generation.section import Generation
from steps.generation.examine_rows import examine_rows
from steps.generation.store_rows import store_rows
from steps.generation.write_rows import write_rows


@pipeline(enable_cache=False, execution_mode=ExecutionMode.FAIL_FAST)
def generation(task: str, section: Generation, resume: bool = True, tracked: bool = True) -> None:
    """Write, check and store labelled rows; a second run continues an interrupted one."""
    tracker: dict[str, Any] = {"experiment_tracker": True} if tracked else {}
    ledger, stopped = write_rows(task, section, resume)
    examined = examine_rows.with_options(**tracker)(task, ledger)
    store_rows.with_options(substitutions={"task": task})(task, section, ledger, stopped, after=examined)

"""Write tasks/schema.json, the JSON Schema of a task, or check that it is up to date: `credence schema [--check]`."""

from pathlib import Path

from credence.core.atomic_write import atomic_write_text
from credence.core.errors import InputError
from credence.core.log import log
from credence.task_schema import schema_text

SCHEMA_FILE = Path("tasks") / "schema.json"


def write_schema(file: Path, check: bool) -> None:
    """Write the schema, or compare it.

    Editors complete and check the keys of a task by it, where the task names the file:
    `# yaml-language-server: $schema=schema.json`.

    Args:
        file: The schema's file.
        check: Compare the file and write nothing.

    Raises:
        InputError: With `check`, the file is missing or out of date.
    """
    text = schema_text()
    if not check:
        file.parent.mkdir(parents=True, exist_ok=True)
        atomic_write_text(file, text)
        return log(f"{file}: the JSON Schema of a task")
    if not file.is_file() or file.read_text(encoding="utf-8") != text:
        raise InputError(f"{file} is not what the models of a task say; write it with python run.py schema.")

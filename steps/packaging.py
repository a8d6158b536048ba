"""Call the serving side in a process of its own, so that ZenML's code and the service's never meet."""

import json
import subprocess
import sys
from typing import Any

from credence.errors import BadInput


def bentos(*arguments: str) -> dict[str, Any]:
    """What `python -m bentos ...` found. BadInput for its one sentence, RuntimeError for anything else."""
    command = [sys.executable, "-m", "bentos", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode == 2:
        raise BadInput(done.stderr.strip().splitlines()[-1].removeprefix("error: "))
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with exit code {done.returncode}:\n{done.stderr}")
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found

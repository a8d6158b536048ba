"""Package and try a predictor from the shell, in a process that never meets ZenML:

    python -m bentos build FOLDER                   store the predictor of a folder and build its bento
    python -m bentos try BENTO FOLDER ROWS.parquet  serve it, and compare its answers with the folder's own

Prints one line of JSON. Exit code 2 and one sentence where the input cannot be used.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

import pandas as pd

from bentos.build import build, digest_of, store
from bentos.golden import golden, requests_of
from bentos.schema import read_facts
from bentos.serve import serving
from credence.errors import BadInput
from credence.predictor import Predictor


def built(folder: Path) -> dict[str, Any]:
    """Store and build; the same predictor twice is one bento."""
    task, number = read_facts(folder).version.rsplit(":", 1)
    return {"bento": build(store(folder, task, f"{number}-{digest_of(folder)[:8]}"))}


def tried(bento: str, folder: Path, rows: Path) -> dict[str, Any]:
    """Serve, ask, compare, and give one question with its answer to show."""
    predictor, test = Predictor.load(folder), pd.read_parquet(rows)
    key = os.environ.get("CREDENCE_API_KEYS", "").split(",")[0] or None
    with serving(bento) as url:
        comparison = golden(url, test, predictor, key)
    return {
        **comparison.model_dump(),
        "agrees": comparison.agrees(),
        "request": requests_of(test.head(1), predictor)[0],
        "answer": json.loads(predictor.predict(test.head(1)).iloc[0].to_json(double_precision=4)),
    }


def main(argv: list[str]) -> int:
    """Run one of the two commands."""
    try:
        if argv[:1] == ["build"] and len(argv) == 2:
            found = built(Path(argv[1]))
        elif argv[:1] == ["try"] and len(argv) == 4:
            found = tried(argv[1], Path(argv[2]), Path(argv[3]))
        else:
            raise BadInput("expected build FOLDER, or try BENTO FOLDER ROWS.parquet.")
    except BadInput as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

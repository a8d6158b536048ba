"""One small job for the tests of batch scoring: rows of every kind, a predictor for them, and a way to run it."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
from sqlalchemy import create_engine

from credence.core.registry import SourceSpec
from credence.data.rows import to_canonical_rows
from credence.production.batch import BatchJob, assemble_output, score_job
from tests.support.serving_cases import TABLE, kept, raw_table, trained
from tests.support.small_kinds import small

ROOT = Path(__file__).parents[2]
ROWS = 230
RUN_IT = """
import json, sys
from pathlib import Path
from credence.production.batch import BatchJob, assemble_output, score_job
if __name__ == "__main__":
    job = BatchJob(**json.loads(sys.argv[1]))
    print(score_job(job, Path(sys.argv[2])).model_dump_json())
    assemble_output(job)
"""


def saved(folder: Path, kind: str = "logistic") -> Path:
    """A predictor for `rows`, saved."""
    return kept(trained(small(kind))[0], folder)


def rows(n: int = ROWS) -> pd.DataFrame:
    """New rows as somebody would send them: a name for each, and no label."""
    raw = raw_table(n, seed=7).drop(columns="ill")
    return raw.assign(who=[f"p-{i:04}" for i in range(n)])


def written(kind: str, table: pd.DataFrame, folder: Path) -> SourceSpec:
    """The table as a source of this kind; what is read back means the same."""
    path = folder / f"rows.{kind}"
    if kind == "csv":
        table.to_csv(path, index=False)
    elif kind == "jsonl":
        path.write_text("".join(f"{json.dumps(record)}\n" for record in plain(table)))
    elif kind == "parquet":
        table.to_parquet(path, row_group_size=64)
    elif kind == "sql":
        engine = create_engine(f"sqlite:///{path}")
        table.to_sql("patients", engine, index=False)
        engine.dispose()
        return SourceSpec(kind="sql", url=f"sqlite:///{path}", query="select * from patients order by who")
    return SourceSpec(kind=kind, path=str(path))


def plain(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as JSON requests hold them."""
    dated = table.assign(**{"first seen": table["first seen"].astype(str)}).astype(object)
    return list(dated.where(dated.notna(), None).to_dict("records"))


def job(source: SourceSpec, out: Path | str, **more: Any) -> BatchJob:
    """One process unless said otherwise."""
    return BatchJob(**{"source": source, "out": str(out), "chunk_rows": 40, "processes": 1, **more})


def done(wanted: BatchJob, folder: Path) -> bytes:
    """The bytes that a job writes from beginning to end."""
    score_job(wanted, folder)
    return Path(assemble_output(wanted)).read_bytes()


def answers(path: Path) -> pd.DataFrame:
    """A Parquet file of answers."""
    return pq.read_table(path).to_pandas()


def expected(predictor: Any, table: pd.DataFrame) -> pd.DataFrame:
    """What `predict` says of the same rows, read as training reads them."""
    labelled = table.drop(columns="who").assign(ill=["yes", "no"] * (len(table) // 2))
    return predictor.predict(to_canonical_rows(labelled, TABLE))


def start(wanted: BatchJob, folder: Path) -> "subprocess.Popen[str]":
    """The job in a process group of its own."""
    return subprocess.Popen(
        [sys.executable, "-c", RUN_IT, wanted.model_dump_json(), str(folder)],
        cwd=ROOT,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )

"""How much memory batch scoring takes and how fast it is, beside plain loops: `python -m benchmarks.batch`."""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import psutil  # type: ignore[import-untyped]
import pyarrow as pa
import pyarrow.parquet as pq
from sklearn.datasets import load_breast_cancer

from credence.core.registry import SourceSpec, load_kind
from credence.data.rows import Columns, model_inputs, to_canonical_rows
from credence.data.split import Split, assign_parts
from credence.predictor import Predictor, TaskInfo
from credence.production.batch import BatchJob, assemble_output, score_job
from credence.statistics.calibration import Calibration

SIZES = (100_000, 1_000_000)
CHUNK = 10_000
WAYS = ("one process", "two processes", "loop over read_csv", "all rows at once")
PAGE, BEGIN, END = Path("docs/benchmarks/batch.md"), "<!-- figures -->\n", "<!-- end of figures -->"


def predictor(folder: Path) -> Path:
    """The champion of the bundled example, nearly: a logistic regression on thirty columns."""
    rows = to_canonical_rows(load_breast_cancer(as_frame=True).frame, Columns(label="target", positive=0))
    part = assign_parts(rows, Split())
    train, calibration = rows[part == "train"], rows[part == "calibration"]
    model = load_kind("models", "logistic")().fit(model_inputs(train), train["label"].to_numpy())
    about = TaskInfo(task="breast_cancer", question="Is this tumour malignant?", answers=("benign", "malignant"))
    folder.mkdir()
    Predictor.calibrate(model, train, calibration, Calibration(), about).save(folder)
    return folder


def data(folder: Path, rows: int) -> None:
    """Rows of the same kind, drawn again with some noise, as CSV and as Parquet."""
    known, rng = load_breast_cancer(as_frame=True).frame.drop(columns="target"), np.random.default_rng(0)
    with pq.ParquetWriter(folder / f"{rows}.parquet", pa.Schema.from_pandas(known, preserve_index=False)) as writer:
        for first in range(0, rows, CHUNK):
            drawn = known.iloc[rng.integers(0, len(known), CHUNK)]
            drawn = (drawn * (1 + 0.01 * rng.standard_normal(drawn.shape))).reset_index(drop=True)
            drawn.to_csv(folder / f"{rows}.csv", mode="a", header=not first, index=False)
            writer.write_table(pa.Table.from_pandas(drawn, preserve_index=False))


def once(way: str, kind: str, folder: Path, rows: int) -> tuple[float, float]:
    """Score all rows in one way, in this process: seconds by the clock and of computing, both without imports."""
    source, out = folder / f"{rows}.{kind}", folder / "out.csv"
    begin, worked = time.perf_counter(), _worked()
    if way.endswith(("process", "processes")):
        processes = 1 if way == "one process" else 2
        spec = SourceSpec(kind=kind, path=str(source))
        job = BatchJob(source=spec, out=str(out), chunk_rows=CHUNK, processes=processes)
        score_job(job, folder / "saved")
        assemble_output(job)
    elif way == "loop over read_csv":
        loaded = Predictor.load(folder / "saved")
        for i, chunk in enumerate(pd.read_csv(source, chunksize=CHUNK)):
            loaded.predict(chunk).to_csv(out, mode="a" if i else "w", header=not i)
    else:
        table = pd.read_csv(source) if kind == "csv" else pd.read_parquet(source)
        Predictor.load(folder / "saved").predict(table).to_csv(out)
    return time.perf_counter() - begin, _worked() - worked


def _worked() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def measured(way: str, kind: str, folder: Path, rows: int) -> dict[str, float]:
    """The same in a process of its own: rows per second, microseconds of computing per row, and memory in MiB.

    Memory is the most that it and its children held at once, pages they share counted once (PSS), every 50 ms.
    """
    command = [sys.executable, "-m", "benchmarks.batch", "--once", way, kind, str(folder), str(rows)]
    running, most = subprocess.Popen(command, stdout=subprocess.PIPE, text=True), 0.0
    while running.poll() is None:
        most = max(most, _memory(running.pid))
        time.sleep(0.05)
    seconds, worked = json.loads(running.communicate()[0])
    return {"rate": rows / seconds, "work": 1e6 * worked / rows, "memory": most / 2**20}


def _memory(pid: int) -> float:
    total = 0.0
    try:
        for process in [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]:
            total += process.memory_full_info().pss
    except psutil.Error:
        return total
    return total


def figures(folder: Path, sizes: tuple[int, ...], ways: tuple[str, ...] = WAYS) -> list[str]:
    """The table, as lines of Markdown."""
    heads = [f"{n:,} rows: rows/s | CPU µs/row | MiB" for n in sizes]
    lines = [f"| | {' | '.join(heads)} |", f"|---|{'--:|--:|--:|' * len(sizes)}"]
    for rows in sizes:
        data(folder, rows)
    for kind in ("csv", "parquet"):
        for way in ways:
            if way == "loop over read_csv" and kind != "csv":
                continue
            found = [measured(way, kind, folder, rows) for rows in sizes]
            cells = [f"{f['rate']:,.0f} | {f['work']:.0f} | {f['memory']:,.0f}" for f in found]
            lines.append(f"| {kind}, {way} | {' | '.join(cells)} |")
            print(lines[-1], file=sys.stderr)
    return lines


def main() -> None:
    """Print the figures, or write them into the page."""
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--once", nargs=4, metavar=("WAY", "KIND", "FOLDER", "ROWS"), help=argparse.SUPPRESS)
    p.add_argument("--rows", type=int, nargs="+", default=list(SIZES))
    p.add_argument("--write", type=Path, const=PAGE, nargs="?", help="put the table into this page")
    args = p.parse_args()
    if args.once:
        way, kind, folder, rows = args.once
        print(json.dumps(once(way, kind, Path(folder), int(rows))))
        return
    os.environ["OMP_NUM_THREADS"] = "1"
    with tempfile.TemporaryDirectory() as place:
        predictor(Path(place) / "saved")
        table = "\n".join(figures(Path(place), tuple(args.rows)))
    if args.write:
        text = args.write.read_text()
        before, _, rest = text.partition(BEGIN)
        args.write.write_text(f"{before}{BEGIN}{table}\n{END}{rest.partition(END)[2]}")
    print(table)


if __name__ == "__main__":
    main()

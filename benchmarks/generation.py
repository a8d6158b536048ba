"""Checked rows a second from a model that takes a second, beside ten threads: `python -m benchmarks.generation`."""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from credence.generation.arithmetic import Statement
from credence.generation.ledger import Slot, slots
from credence.generation.runner import Runner
from credence.generation.section import Generation
from credence.generation.writers.batching import SlotBatch
from credence.generation.writers.statements import Statements, reject_reason

THREADS, IN_FLIGHT, PACKED = 10, 64, 20
LOOP = "ten threads, the synchronous `openai` SDK"
# Way -> kind of provider, items per call, rows.
WAYS = {
    f"`openai`, {IN_FLIGHT} in flight": ("openai", 1, 2500),
    f"`anthropic`, {IN_FLIGHT} in flight": ("anthropic", 1, 2500),
    f"`openai`, {IN_FLIGHT} in flight, {PACKED} rows in a call": ("openai", PACKED, 50_000),
}
LOOP_ROWS = 250
WARM, OVER = 0.3, 0.95
PAGE, BEGIN, END = Path("docs/benchmarks/generation.md"), "<!-- figures -->\n", "<!-- end of figures -->"
Samples = list[tuple[float, int]]


@contextmanager
def server(latency: float) -> Iterator[str]:
    """The address of the tests' fake of a provider, in a process of its own."""
    process = subprocess.Popen([sys.executable, "-m", "tests.fakes.fake_llm"], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout
        url = process.stdout.readline().strip()
        script = json.dumps({"latency": latency}).encode()
        urllib.request.urlopen(urllib.request.Request(f"{url}/__script", script), timeout=10).read()
        yield url
    finally:
        process.kill()
        process.communicate()


def section(url: str, kind: str, per_call: int, rows: int) -> Generation:
    """So many rows from the server."""
    provider = {
        "kind": kind,
        "name": kind,
        "model": "m-1",
        "base_url": f"{url}/v1" if kind == "openai" else url,
        "key_env": None,
        "limits": {"rpm": None, "in_flight": IN_FLIGHT},
        "price": {"input": 1, "output": 2},
    }
    return Generation(providers=[provider], rows=rows, items_per_call=per_call, budget_usd=None)


def ours(wanted: Generation, folder: Path) -> Samples:
    """The product: (seconds, rows there) as it goes."""
    from credence.generation.generate import generate

    os.environ["CREDENCE_HOME"] = str(folder)
    begin, samples = time.perf_counter(), [(0.0, 0)]

    def watch(run: Runner) -> None:
        samples.append((time.perf_counter() - begin, run.there.total()))

    done = generate("benchmark", wanted, watch)
    assert done.stopped is None
    return samples


def loop(wanted: Generation, folder: Path) -> Samples:
    """What is quickly written: threads that ask, and a file that is safe after every row."""
    import openai

    url = str(wanted.providers[0].model_dump()["base_url"])
    client = openai.OpenAI(base_url=url, api_key="none")
    begin, samples = time.perf_counter(), [(0.0, 0)]
    with ThreadPoolExecutor(THREADS) as pool, (folder / "rows.jsonl").open("w") as out:
        for row in pool.map(_asker(client), slots("", wanted.wanted())):
            out.write(json.dumps(row) + "\n")
            out.flush()
            os.fsync(out.fileno())
            samples.append((time.perf_counter() - begin, samples[-1][1] + 1))
    return samples


def _asker(client: Any) -> Callable[[Slot], dict[str, Any]]:
    writer = Statements(1)

    def ask(slot: Slot) -> dict[str, Any]:
        [request] = writer.foreseen(SlotBatch((slot,)), [("openai", "m-1")])
        answer = client.chat.completions.create(
            model=request.model,
            messages=[{"role": "system", "content": request.system}, {"role": "user", "content": request.user}],
            max_completion_tokens=request.max_tokens,
            response_format={
                "type": "json_schema",
                "json_schema": {"name": "reply", "strict": True, "schema": request.schema_},
            },
        )
        item = Statement.model_validate(json.loads(answer.choices[0].message.content)["items"][0])
        assert not reject_reason(slot, item)
        return {"question": item.question, "answer": slot.label}

    return ask


def once(way: str, url: str, rows: int, folder: Path) -> dict[str, float]:
    """One way in this process: rows a second, warm and from its beginning, and milliseconds of computing a call."""
    kind, per_call, _ = WAYS.get(way, ("openai", 1, 0))
    wanted = section(url, kind, per_call, rows)
    wanted.providers[0].build()  # importing an SDK takes seconds, and is done once
    worked = sum(os.times()[:2])
    samples = loop(wanted, folder) if way == LOOP else ours(wanted, folder)
    worked = sum(os.times()[:2]) - worked
    sustained, overall = paces(samples, rows)
    return {"sustained": sustained, "overall": overall, "work": 1000 * worked * per_call / rows}


def paces(samples: Samples, rows: int) -> tuple[float, float]:
    """Rows a second while warm and from the beginning; the same where no row came between two looks while warm."""
    warm = [(seconds, there) for seconds, there in samples if WARM * rows <= there <= OVER * rows] or samples
    (first, before), (last, after) = warm[0], warm[-1]
    overall = rows / samples[-1][0]
    return (after - before) / (last - first) if after > before else overall, overall


def measured(way: str, url: str, rows: int) -> dict[str, float]:
    """The same in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "benchmarks.generation", "--once", way, url, str(rows), folder]
        told = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    found: dict[str, float] = json.loads(told)
    return found


def figures(share: float, latency: float) -> list[str]:
    """The table, as lines of Markdown; `share` of the rows are asked for."""
    lines = [
        "| | rows/s, warm | rows/s, overall | × the threads, warm | overall | CPU ms/call |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    with server(latency) as url:
        threads = measured(LOOP, url, max(8, round(share * LOOP_ROWS)))
        found = {LOOP: threads}
        for way, (_, _, rows) in WAYS.items():
            found[way] = measured(way, url, max(160, round(share * rows)))
            print(way, found[way], file=sys.stderr)
    for way, f in found.items():
        times = [f[which] / threads[which] for which in ("sustained", "overall")]
        cells = [f"{f['sustained']:,.1f}", f"{f['overall']:,.1f}", *(f"{t:.1f}" for t in times), f"{f['work']:.1f}"]
        lines.append(f"| {way} | {' | '.join(cells)} |")
    return lines


def main() -> None:
    """Print the figures, or write them into the page."""
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--once", nargs=4, metavar=("WAY", "URL", "ROWS", "FOLDER"), help=argparse.SUPPRESS)
    p.add_argument("--share", type=float, default=1.0, help="of the rows, for a quick look")
    p.add_argument("--latency", type=float, default=1.0, help="seconds that the model takes")
    p.add_argument("--write", type=Path, const=PAGE, nargs="?", help="put the table into this page")
    args = p.parse_args()
    if args.once:
        way, url, rows, folder = args.once
        print(json.dumps(once(way, url, int(rows), Path(folder))))
        return
    table = "\n".join(figures(args.share, args.latency))
    if args.write:
        text = args.write.read_text()
        before, _, rest = text.partition(BEGIN)
        args.write.write_text(f"{before}{BEGIN}{table}\n{END}{rest.partition(END)[2]}")
    print(table)


if __name__ == "__main__":
    main()

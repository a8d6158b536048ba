"""kill -9, again and again, of several writers of one log."""

import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from credence.data.prediction_log.closed_segments import compact_and_expire
from credence.data.prediction_log.jsonl import TORN
from credence.data.prediction_log.reader import Reading, read_feedback, read_predictions
from credence.data.prediction_log.schema import FEEDBACK, PREDICTION

ROOT = Path(__file__).parents[2]


def diaries(folder: Path) -> dict[str, dict[str, list[tuple[int, float]]]]:
    """What every writer said of itself: what it put and what was acknowledged, and when. The last line may be torn."""
    found: dict[str, dict[str, list[tuple[int, float]]]] = {}
    for file in folder.glob("*.diary"):
        said: dict[str, list[tuple[int, float]]] = {"put": [], "told": []}
        for line in file.read_text().split("\n")[:-1]:
            what, i, when = line.split()
            said[what].append((int(i), float(when)))
        found[file.stem] = said
    return found


def by_writer(found: Reading) -> defaultdict[str, list[int]]:
    """The numbers of the records that are there, for every writer."""
    there: defaultdict[str, list[int]] = defaultdict(list)
    for name, i in (request_id.split(":") for request_id in found.frame["request_id"]):
        there[name].append(int(i))
    return there


def kept_their_promise(folder: Path) -> int:
    """All acknowledged truths, all answers but those of the last second, each once, in order. How many were lost."""
    predictions, feedback = read_predictions(folder), read_feedback(folder)
    answers, truths = by_writer(predictions), by_writer(feedback)
    lost = 0
    for name, said in diaries(folder).items():
        there, told = answers[name], truths[name]
        assert there == list(range(len(there))), "a prefix: nothing twice, nothing missing in between"
        assert {i for i, _ in said["told"]} <= set(told) and len(told) == len(set(told))
        missing = [(i, when) for i, when in said["put"] if i >= len(there)]
        last = said["put"][-1][1] if said["put"] else 0.0
        assert all(last - when < 1 for _, when in missing)
        lost += len(missing)
    assert {s.why for s in predictions.skipped + feedback.skipped} <= {TORN}
    return lost


@pytest.mark.parametrize("rounds", [6, pytest.param(100, marks=pytest.mark.slow)])
def test_killed_writers_lose_at_most_their_last_second(tmp_path: Path, rounds: int) -> None:
    command = [sys.executable, "-m", "tests.support.log_writers", str(tmp_path), str(rounds), "1"]
    subprocess.run(command, cwd=ROOT, check=True)
    lost = kept_their_promise(tmp_path)
    for name, schema in (("predictions", PREDICTION), ("feedback", FEEDBACK)):
        compact_and_expire(tmp_path / name, schema)
        assert {f.suffix for f in (tmp_path / name).glob("[!.]*")} == {".parquet"}
        assert all(pq.read_metadata(f).num_columns == len(schema) for f in (tmp_path / name).glob("*.parquet"))
    assert kept_their_promise(tmp_path) == lost
    written = sum(len(said["put"]) for said in diaries(tmp_path).values())
    print(f"{rounds} kills: {written} answers put, {lost} of the last seconds not logged")
    assert 0 < lost < written

"""A file is whole or not there, and the same bytes for the same rows."""

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from credence.core.errors import InputError
from credence.generation.ledger import SCHEMA, DatasetRow, LedgerReader, export_jsonl, export_parquet
from tests.support.ledger_cases import fill, opened, record, result, settle

ROOT = Path(__file__).parents[4]


def filled(folder: Path, seed: int) -> dict[str, str]:
    """A run that answers in an order of its own; the hashes of what it exports."""
    ledger, _ = opened(folder)
    dice = random.Random(seed)
    with ledger:
        while due := ledger.due():
            settle(ledger, dice.choice(due), 6)
        files = folder / "a.parquet", folder / "a.jsonl"
        return {"parquet": ledger.export_parquet(files[0]), "jsonl": ledger.export_jsonl(files[1])}


def test_two_runs_export_the_same_bytes(tmp_path: Path) -> None:
    first, second = filled(tmp_path / "1", 1), filled(tmp_path / "2", 2)
    assert first == second
    for name, sha256 in first.items():
        files = [(tmp_path / run / f"a.{name}").read_bytes() for run in "12"]
        assert files[0] == files[1] and hashlib.sha256(files[0]).hexdigest() == sha256
    with LedgerReader(tmp_path / "1") as one, LedgerReader(tmp_path / "2") as two:
        assert one.digest() == two.digest()


def test_both_files_say_the_same(tmp_path: Path) -> None:
    filled(tmp_path, 3)
    table = pq.read_table(tmp_path / "a.parquet")
    assert table.schema.equals(SCHEMA) and table.num_rows == 16
    assert table["content_id"].to_pylist() == sorted(table["content_id"].to_pylist())
    lines = (tmp_path / "a.jsonl").read_text().split("\n")
    assert lines.pop() == "" and [json.loads(line) for line in lines] == table.to_pylist()
    assert list(json.loads(lines[0])) == list(DatasetRow.model_fields)
    assert pq.ParquetFile(tmp_path / "a.parquet").metadata.row_group(0).column(0).compression == "ZSTD"


def test_odd_characters_stay_on_their_line(tmp_path: Path) -> None:
    ledger, due = opened(tmp_path)
    with ledger:
        odd = record(due[0], "c", question="a\nb\r\u2028\u0085 é e\u0301 😀\x00")
        ledger.record([result(due[0], "c").model_copy(update={"record": odd})])
        ledger.export_jsonl(tmp_path / "a.jsonl")
        ledger.export_parquet(tmp_path / "a.parquet")
    lines = (tmp_path / "a.jsonl").read_bytes().split(b"\n")
    assert len(lines) == 2 and json.loads(lines[0]) == odd.model_dump()
    assert pq.read_table(tmp_path / "a.parquet").to_pylist() == [odd.model_dump()]


def test_nothing_yet_is_an_empty_table(tmp_path: Path) -> None:
    ledger, _ = opened(tmp_path)
    with ledger:
        ledger.export_parquet(tmp_path / "a.parquet")
        ledger.export_jsonl(tmp_path / "a.jsonl")
        assert ledger.attempts().num_rows == ledger.quarantined().num_rows == 0
    assert pq.read_table(tmp_path / "a.parquet").equals(SCHEMA.empty_table())
    assert (tmp_path / "a.jsonl").read_bytes() == b""


def test_a_file_may_not_hold_what_the_schema_does_not(tmp_path: Path) -> None:
    ledger, _ = opened(tmp_path)
    with ledger:
        fill(ledger, 6)
        assert ledger.results().schema.equals(SCHEMA)
        assert not set(SCHEMA.names) & {"time", "cost", "latency", "attempt"}, "these differ from run to run"


TORN = """
import os, resource, signal, sys
from pathlib import Path
from credence.core.errors import InputError
from credence.generation.ledger import LedgerReader
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
reader = LedgerReader(Path(sys.argv[1]))
resource.setrlimit(resource.RLIMIT_FSIZE, (700, 700))
try:
    getattr(reader, "export_" + sys.argv[2])(Path(sys.argv[3]))
except InputError as error:
    print(error)
"""


@pytest.mark.parametrize("kind", ["parquet", "jsonl"])
def test_a_disk_that_fills_leaves_the_file_of_before(tmp_path: Path, kind: str) -> None:
    filled(tmp_path / "ledger", 4)
    file = tmp_path / f"out.{kind}"
    file.write_text("before")
    command = [sys.executable, "-c", TORN, str(tmp_path / "ledger"), kind, str(file)]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert f"{file}: not written" in said and said.count("\n") == 1
    assert file.read_text() == "before" and set(os.listdir(tmp_path)) == {"ledger", file.name}


KILLED = """
import os, signal, sys
from pathlib import Path
from credence.generation.ledger import LedgerReader
os.fsync = lambda _: os.kill(os.getpid(), signal.SIGKILL)
getattr(LedgerReader(Path(sys.argv[1])), "export_" + sys.argv[2])(Path(sys.argv[3]))
"""


@pytest.mark.parametrize("kind", ["parquet", "jsonl"])
def test_a_killed_export_leaves_the_file_of_before_and_its_draft_goes_in_time(tmp_path: Path, kind: str) -> None:
    filled(tmp_path / "ledger", 5)
    file = tmp_path / f"out.{kind}"
    file.write_text("before")
    command = [sys.executable, "-c", KILLED, str(tmp_path / "ledger"), kind, str(file)]
    assert subprocess.run(command, cwd=ROOT, check=False).returncode == -signal.SIGKILL
    assert file.read_text() == "before"
    (draft,) = tmp_path.glob(".*")
    with LedgerReader(tmp_path / "ledger") as reader:
        export = getattr(reader, f"export_{kind}")
        sha256 = export(file)
        assert hashlib.sha256(file.read_bytes()).hexdigest() == sha256
        assert draft.exists(), "it may be another run's, at work"
        os.utime(draft, (0, 0))
        export(file)
    assert not draft.exists()


def test_a_place_that_cannot_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for export in (export_parquet, export_jsonl):
        with pytest.raises(InputError, match=r"file/a: not written \(.*\); free the place or name another"):
            export(pa.table({"a": [1]}), tmp_path / "file" / "a")

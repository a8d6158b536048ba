"""kill -9, again and again: no row is lost, doubled or changed, and hardly a call is paid for twice."""

import hashlib
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from credence.generation.ledger import LedgerReader
from credence.generation.ledger.group_commit import MAX_ROWS
from tests.support.ledger_cases import fill, opened
from tests.support.ledger_writers import IN_FLIGHT

ROOT = Path(__file__).parents[2]


def diary(folder: Path) -> tuple[Counter[tuple[str, str]], dict[str, set[str]]]:
    """How often every call was paid, and which slots were told that they keep a content. The last line may be torn."""
    paid: Counter[tuple[str, str]] = Counter()
    kept: dict[str, set[str]] = {}
    for line in (folder / "diary").read_text().split("\n")[:-1]:
        what, slot_id, about = line.split()
        if what == "paid":
            paid[slot_id, about] += 1
        else:
            kept.setdefault(about, set()).add(slot_id)
    return paid, kept


@pytest.mark.parametrize(
    ("kills", "quota"), [(6, 150), pytest.param(100, 2000, marks=pytest.mark.slow)], ids=["fast", "slow"]
)
def test_killed_runs_end_where_an_undisturbed_one_does(tmp_path: Path, kills: int, quota: int) -> None:
    folder = tmp_path / "killed"
    folder.mkdir()
    command = [sys.executable, "-m", "tests.support.ledger_writers", str(folder), str(quota), str(kills), "7"]
    subprocess.run(command, cwd=ROOT, env={"PYTHONPATH": str(ROOT), "PATH": ""}, check=True)
    paid, kept = diary(folder)
    with LedgerReader(folder / "ledger") as reader:
        table, spent, calls = reader.results(), reader.spent(), reader.attempts()
    final = dict(zip(table["content_id"].to_pylist(), table["slot_id"].to_pylist(), strict=True))
    assert len(final) == len(set(final.values())) == 2 * quota
    assert all(final[content] == min(slots) for content, slots in kept.items()), "what was acknowledged is there"
    assert calls.num_rows <= paid.total() <= calls.num_rows + kills * (IN_FLIGHT + MAX_ROWS)
    assert spent.settled == 7 * calls.num_rows and spent.reserved % 9 == 0
    assert 7 * paid.total() <= spent.total, "a call whose end was lost counts as spent"
    again = paid.total() - len(paid)
    assert again <= kills * (IN_FLIGHT + MAX_ROWS)
    print(f"{again} of {paid.total()} calls paid again in {kills} kills")
    assert hashlib.sha256((folder / "out.parquet").read_bytes()).hexdigest() == undisturbed(tmp_path, quota)
    assert pq.read_metadata(folder / "out.parquet").num_rows == 2 * quota


def undisturbed(tmp_path: Path, quota: int) -> str:
    """The hash of what a run exports that nobody kills and that answers one after another."""
    ledger, _ = opened(tmp_path / "whole", {"a": {"no": quota, "yes": quota}})
    with ledger:
        fill(ledger, quota * 3 // 2)
        return ledger.export_parquet(tmp_path / "whole.parquet")

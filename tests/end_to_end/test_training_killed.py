"""kill -9 at any moment, also inside a save: the run that is taken up ends with the weights of one left in peace."""

import json
import signal
from pathlib import Path

import pytest

from tests.end_to_end.test_training_distributed import run
from tests.support.training_cases import taught
from tests.support.training_runs import LONG, digest, epochs_for


@pytest.mark.parametrize(
    ("kills", "inside"), [(6, 3), pytest.param(50, 10, marks=pytest.mark.slow)], ids=["fast", "slow"]
)
def test_killed_runs_end_with_the_weights_of_an_undisturbed_one(tmp_path: Path, kills: int, inside: int) -> None:
    run("-m", "tests.support.training_runs", "killed", str(tmp_path), str(kills), str(inside), "3")
    undisturbed, _ = taught(epochs=epochs_for(kills), **LONG)
    ended, diary = (json.loads((tmp_path / name).read_text()) for name in ("end.json", "diary.json"))
    runs = diary["runs"]
    assert [r["signal"] for r in runs] == [signal.SIGKILL] * kills + [0]
    assert len(diary["within"]) == inside
    assert all(r["to"] >= r["from"] for r in runs), "no kill takes a whole checkpoint away"
    assert any(runs[k]["drafts"] or runs[k]["orphans"] for k in diary["within"]), "some saves were cut off half way"
    assert len({r["to"] for r in runs}) > kills / 2
    assert ended["bits"] == digest(undisturbed)
    assert not ended["notes"], "nothing torn was ever seen"
    print(f"{kills} kills, of which {inside} inside a save, at steps {[r['to'] for r in runs]}")

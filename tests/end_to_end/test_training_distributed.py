"""Two processes learn what one learns: the same curves at the same batch, and the same answers to what goes wrong."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
HERE = {"PATH": os.environ["PATH"], "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
TORCHRUN = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
Told = dict[str, Any]


def run(*command: str) -> None:
    done = subprocess.run([sys.executable, *command], cwd=ROOT, env=HERE, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Told]:
    """What one process alone and two together say of every case."""
    folder = tmp_path_factory.mktemp("pair")
    run("-m", "tests.support.training_runs", "pair", str(folder))
    return {name: json.loads((folder / f"{name}.json").read_text()) for name in ("alone", "0", "1")}


def same(a: Any, b: Any, within: float) -> bool:
    return np.array(a).shape == np.array(b).shape and bool(np.abs(np.array(a) - np.array(b)).max() <= within)


def test_two_processes_have_the_curves_of_one(told: dict[str, Told]) -> None:
    alone, first, second = (told[name]["plain"] for name in ("alone", "0", "1"))
    assert same(alone["curve"], first["curve"], 1e-5) and first["curve"] == second["curve"]
    assert (alone["most"], first["most"], second["most"]) == (32, 16, 16), "a batch is shared, not repeated"
    assert first["bits"] == second["bits"], "both end with the same weights"


def test_two_processes_draw_what_one_draws_in_two_passes(told: dict[str, Told]) -> None:
    alone, first = told["alone"]["dropped"], told["0"]["dropped"]
    assert first["curve"] == alone["curve"] and first["bits"] == alone["bits"]
    assert alone["most"] == first["most"] == 8


def test_memory_that_one_process_lacks_halves_the_batch_of_both(told: dict[str, Told]) -> None:
    alone, first, second = (told[name]["hungry"] for name in ("alone", "0", "1"))
    assert same(alone["curve"], first["curve"], 1e-5) and first["bits"] == second["bits"]
    assert (alone["notes"], alone["most"]) == ([], 16)
    assert (
        first["notes"]
        == second["notes"]
        == ["out of memory at epoch 1, step 1: from here on in passes of 4 rows instead of 8."]
    )


def test_all_begin_with_the_weights_of_the_first(told: dict[str, Told]) -> None:
    assert told["0"]["unlike"]["bits"] == told["1"]["unlike"]["bits"]
    assert same(told["alone"]["unlike"]["curve"], told["0"]["unlike"]["curve"], 0.2)


def test_a_loss_that_is_no_number_stops_all_with_the_same_sentence(told: dict[str, Told]) -> None:
    sentences = {told[name]["spoilt"]["said"] for name in told}
    assert len(sentences) == 1 and "for the rows 'row-0-7'; " in sentences.pop()


def test_a_team_goes_on_from_what_its_first_process_kept(told: dict[str, Told]) -> None:
    for name in told:
        assert told[name]["resumed"]["bits"] == told[name]["resumed"]["whole"]
    assert told["0"]["resumed"]["bits"] == told["1"]["resumed"]["bits"]
    assert told["0"]["resumed"]["files"] and not told["1"]["resumed"]["files"]


@pytest.mark.slow
def test_torchrun_trains_what_one_process_trains(tmp_path: Path, told: dict[str, Told]) -> None:
    run(*TORCHRUN, "-m", "tests.support.training_runs", "team", str(tmp_path))
    for name in ("0", "1"):
        found = json.loads((tmp_path / f"{name}.json").read_text())
        assert found == told[name]
        assert same(found["plain"]["curve"], told["alone"]["plain"]["curve"], 1e-5)

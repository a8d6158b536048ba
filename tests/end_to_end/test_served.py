"""Whatever is served answers as the predictor does: every kind of model, from a bento over sockets, and new kinds."""

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import httpx
import numpy as np
import pandas as pd
import psutil  # type: ignore[import-untyped]
import pytest

from bentos.packaging.build import build_bento, store_predictor
from bentos.packaging.local_server import NotServing, serve_locally
from bentos.packaging.parity_check import Comparison, check_parity, compare_answers, rows_as_requests
from bentos.rollout.worker_status import live_workers
from credence.core.errors import InputError
from credence.core.paths import log_folder
from credence.core.registry import available_kinds, load_kind
from credence.predictor import Predictor
from tests.support.pretrained_cases import tiny
from tests.support.serving_cases import client, kept, trained
from tests.support.small_kinds import small
from tests.support.swap_cases import bentos

ROOT = Path(__file__).parents[2]


def buildable(kind: str) -> bool:
    """Whether the kind needs nothing that only a download brings."""
    return not any(field.is_required() for field in load_kind("models", kind).model_fields.values())


@pytest.mark.parametrize("kind", available_kinds("models"))
def test_every_kind_is_served_as_it_predicts(kind: str, tmp_path: Path) -> None:
    if not buildable(kind):
        pytest.skip(f"{kind} needs a parameter that this test cannot guess")
    predictor, rows = trained(small(kind), f"kind_{kind}")
    with client(kept(predictor, tmp_path / "predictor"), f"kind_{kind}") as http:
        found = compare_answers(cast(httpx.Client, http), rows.head(12), predictor)
        assert found.agrees(), found.mismatches
        assert found.rows == 12
        huge = rows_as_requests(rows, predictor)[0] | (
            {"age (years)": 1e30} if "age (years)" in predictor.info.schema_.names() else {}
        )
        answer = http.post("/predict", json=huge).json()
        assert 0 <= answer["probability"] <= 1


@pytest.mark.parametrize("parameters", [{"relations": True}, {"checkpoint": tiny()}])
def test_texts_are_served_as_a_transformer_predicts(parameters: dict[str, Any], tmp_path: Path) -> None:
    name = f"texts_{next(iter(parameters))}"
    predictor, rows = trained(small("bayesian_transformer", longest=64, **parameters), name, texts=True)
    with client(kept(predictor, tmp_path / "predictor"), name) as http:
        found = compare_answers(cast(httpx.Client, http), rows.head(12), predictor)
        assert found.agrees() and found.rows == 12, found.mismatches


@pytest.fixture(scope="module")
def logistic(tmp_path_factory: pytest.TempPathFactory) -> tuple[Predictor, pd.DataFrame, Path]:
    predictor, rows = trained(small("logistic"), "sockets")
    return predictor, rows, kept(predictor, tmp_path_factory.mktemp("sockets") / "predictor")


@pytest.fixture(scope="module")
def served(logistic: tuple[Predictor, pd.DataFrame, Path]) -> Iterator[str]:
    """A real server of a real bento."""
    folder = logistic[2]
    build_bento(store_predictor(folder, "sockets", "1"))
    with serve_locally("credence:latest", {"CREDENCE_API_KEYS": "the-key-of-the-test", "CREDENCE_WORKERS": "2"}) as url:
        yield url


def test_a_bento_over_sockets_agrees_with_its_predictor(
    served: str, logistic: tuple[Predictor, pd.DataFrame, Path]
) -> None:
    predictor, rows, _ = logistic
    found = check_parity(served, rows, predictor, key="the-key-of-the-test")
    assert found.agrees(), found.mismatches
    assert found.rows == len(rows)
    assert found.largest_difference <= 1e-12


def test_trying_a_bento_leaves_no_record_and_no_worker(
    served: str, logistic: tuple[Predictor, pd.DataFrame, Path], tmp_path: Path
) -> None:
    _, rows, folder = logistic
    before = sorted(log_folder("sockets").rglob("*"))
    rows.head(3).to_parquet(tmp_path / "rows.parquet")
    found = bentos("try", "credence:latest", str(folder), str(tmp_path / "rows.parquet"))
    assert (found["agrees"], found["rows"]) == (True, 3)
    assert sorted(log_folder("sockets").rglob("*")) == before
    assert len(live_workers("sockets")) == 2, "those of the other server"


def test_the_key_of_the_environment_is_asked_for(served: str, logistic: tuple[Predictor, pd.DataFrame, Path]) -> None:
    predictor, rows, _ = logistic
    found = check_parity(served, rows.head(2), predictor)
    assert not found.agrees()
    assert found.mismatches[0].startswith("/predict, row 0: status 401, no known API key")
    assert httpx.get(f"{served}/health").json()["status"] == "ok"


def test_the_server_has_the_workers_that_were_asked_for(served: str) -> None:
    mine = psutil.Process().children(recursive=True)
    assert sum("_bentoml_impl.worker.service" in p.cmdline() for p in mine) == 2


def test_a_streamed_body_without_a_length_is_capped(served: str) -> None:
    def chunks() -> Iterator[bytes]:
        for _ in range(40):
            yield b" " * (1 << 16)

    headers = {"X-API-Key": "the-key-of-the-test"}
    assert httpx.post(f"{served}/predict", content=chunks(), headers=headers).status_code == 413


def test_golden_finds_a_server_that_answers_otherwise(
    served: str, logistic: tuple[Predictor, pd.DataFrame, Path]
) -> None:
    predictor, rows, _ = logistic
    scaling = predictor.info.scaling.model_copy(update={"shift": predictor.info.scaling.shift + 1e-6})
    info = predictor.info.model_copy(update={"scaling": scaling})
    other = Predictor(predictor.model, info, predictor.reference, predictor.seen)
    found = check_parity(served, rows.head(3), other, key="the-key-of-the-test")
    assert not found.agrees()
    assert 1e-9 < found.largest_difference < 1e-5
    assert "the predictor says" in found.mismatches[0]
    renamed = check_parity(served, rows.head(1), predictor.with_version("sockets:2"), key="the-key-of-the-test")
    assert "version is 'sockets:challenger', the predictor says 'sockets:2'" in renamed.mismatches[0]


def test_no_rows_prove_nothing() -> None:
    assert not Comparison(rows=0, largest_difference=0.0, mismatches=[]).agrees()


def test_a_server_of_sources_starts_by_model_tag_and_leaves_nothing(
    logistic: tuple[Predictor, pd.DataFrame, Path],
) -> None:
    predictor, rows, folder = logistic
    tag = store_predictor(folder, "sockets", "1")
    with serve_locally("bentos.service:Credence", {"CREDENCE_MODEL": tag}) as url:
        family = psutil.Process().children(recursive=True)
        assert check_parity(url, rows.head(3), predictor).agrees()
        mine = {p.pid for p in family if url.rpartition(":")[2] in " ".join(p.cmdline())}
        mine |= {child.pid for p in family if p.pid in mine for child in p.children(recursive=True)}
        assert len(mine) >= 2
    assert not mine & set(psutil.pids())
    with pytest.raises(httpx.TransportError):
        httpx.get(f"{url}/readyz")


def test_a_server_that_ends_says_why() -> None:
    sentence = r"ended with status 1.*no model 'nothing:1' in BentoML's store"
    with (
        pytest.raises(NotServing, match=sentence),
        serve_locally("bentos.service:Credence", {"CREDENCE_MODEL": "nothing:1"}),
    ):
        pytest.fail("it started")


def test_a_server_that_never_gets_ready_is_stopped() -> None:
    before = set(psutil.Process().children(recursive=True))
    with pytest.raises(NotServing, match=r"not ready after 0\.1 s"), serve_locally("credence:latest", seconds=0.1):
        pytest.fail("it started")
    assert set(psutil.Process().children(recursive=True)) <= before


def test_a_port_in_use_is_one_sentence() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        sentence = rf"^port {port} of 127\.0\.0\.1 is in use; stop what listens there"
        with pytest.raises(InputError, match=sentence), serve_locally(port=port):
            pytest.fail("it started")


NEW_KIND = '''
"""The share of yes among the training rows, whatever the row."""

import json
from pathlib import Path
from typing import cast

import numpy as np
import pandas as pd
from pydantic import PrivateAttr

from credence.model import Labels, Model
from credence.statistics.uncertainty import Array


class BaseRate(Model):
    """Says the same to everyone."""

    reads = "both"
    _rate: float = PrivateAttr(default=0.5)

    def _fit(self, X: pd.DataFrame, y: Labels) -> None:
        self._rate = float(y.mean())

    def _draws(self, X: pd.DataFrame) -> Array:
        return np.full((1, len(X)), self._rate)

    def _save(self, folder: Path) -> None:
        (folder / "rate.json").write_text(json.dumps(self._rate))

    def _load(self, folder: Path) -> None:
        self._rate = json.loads((folder / "rate.json").read_text())
'''
SERVE_IT = """
import sys
from pathlib import Path
from typing import cast
sys.path[:0] = sys.argv[1:3]
from tests.support.serving_cases import kept, trained
from tests.support.small_kinds import small
from bentos.packaging.build import build_bento, store_predictor
from bentos.packaging.parity_check import check_parity
from bentos.packaging.local_server import serve_locally
predictor, rows = trained(small("base_rate"), "newcomer")
print(build_bento(store_predictor(kept(predictor, Path(sys.argv[3])), "newcomer", "1")))
with serve_locally() as url:
    found = check_parity(url, rows.head(4), predictor)
assert found.agrees(), found
"""


def test_a_new_kind_is_one_file_and_is_served(tmp_path: Path) -> None:
    for package in ("credence", "bentos"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "credence" / "models" / "kinds" / "base_rate.py").write_text(NEW_KIND)
    (tmp_path / "bentoml").mkdir()
    command = [sys.executable, "-c", SERVE_IT, str(tmp_path), str(ROOT), str(tmp_path / "predictor")]
    env = {**os.environ, "BENTOML_HOME": str(tmp_path / "bentoml"), "PYTHONPATH": ""}
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("credence:newcomer-1-")


def test_requests_hold_what_json_can() -> None:
    predictor, rows = trained(small("logistic"), "json")
    bodies = rows_as_requests(rows, predictor)
    assert json.loads(json.dumps(bodies, allow_nan=False)) == bodies
    assert any(body["dose, mg"] is None for body in bodies)
    assert {body["clinic"] for body in bodies} == {"north", "south"}
    assert np.array_equal([body["smokes"] for body in bodies], rows["smokes"])

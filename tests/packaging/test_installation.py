"""The wheel in new environments: what it takes, and that each extra does what it is for. Installed by uv."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
PREDICTORS = ROOT / "tests" / "compatibility" / "saved_by_0_1" / "predictors"
MAX_PLAIN_MIB = 700
ANSWER = f"""
import json, sys
import pandas as pd
import credence
for name in sys.argv[1:]:
    told = json.load(open(f"{PREDICTORS}/{{name}}.json"))
    answers = credence.load(f"{PREDICTORS}/{{name}}").predict(pd.DataFrame(told["rows"]))
    for given, expected in zip(answers.to_dict("records"), told["answers"], strict=True):
        assert given["label"] == expected["label"], name
        assert given["reasons"] == expected["reasons"], name
        assert abs(given["probability"] - expected["probability"]) < 1e-6, name
print(sorted({{m.split(".")[0] for m in sys.modules}} & {{"zenml", "mlflow", "bentoml", "torch", "jax", "matplotlib"}}))
"""
IMPORT_SECONDS = "import time; t = time.perf_counter(); import credence; print(time.perf_counter() - t)"
BAYES = """
import numpy as np
import pandas as pd
from credence.core.registry import load_kind
rng = np.random.default_rng(0)
X = pd.DataFrame({"group": rng.choice(["a", "b"], 80), "x": rng.normal(size=80)})
y = (X["x"] + rng.normal(size=80) > 0).astype(int).to_numpy()
for kind, few in (("hierarchical", {"chains": 2, "warmup": 100, "samples": 100}), ("hierarchical_svi", {"steps": 100})):
    print(load_kind("models", kind)(**few).fit(X, y).draws(X).shape)
"""
LLM = """
from credence.core.registry import available_kinds, load_kind
print([load_kind("providers", kind).__name__ for kind in available_kinds("providers")])
"""
SERVE = f"""
import json
from pathlib import Path
import httpx
import pandas as pd
import credence
from bentos.packaging.build import build_bento, store_predictor
from bentos.packaging.local_server import serve_locally
from bentos.packaging.parity_check import rows_as_requests
folder = Path("{PREDICTORS}/logistic")
told = json.load(open("{PREDICTORS}/logistic.json"))
body = rows_as_requests(pd.DataFrame(told["rows"]), credence.load(folder))[0]
build_bento(store_predictor(folder, "shop", "1"))
with serve_locally() as url:
    answer = httpx.post(url + "/predict", json=body).json()
assert abs(answer["probability"] - told["answers"][0]["probability"]) < 1e-9, answer
"""
TABLE = "age,city,churn\n" + "".join(
    f"{20 + i % 50},{('Oslo', 'Rome', 'Lima')[i % 3]},{'yes' if (i * 7) % 50 > 22 + i % 9 else 'no'}\n"
    for i in range(400)
)
OWN_TABLE = ("--data", "churn.csv", "--label", "churn")
ONE_CANDIDATE = ("--set", "models=[{kind: logistic}]")
DEMO = {
    "text": ("-c", ANSWER, "bilstm", "transformer", "bayesian_transformer"),
    "bayes": ("-c", BAYES),
    "llm": ("-c", LLM),
    "serve": ("-c", SERVE),
}


class Environment:
    """A virtual environment in a place of its own, with its own stores."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        stores = {name: str(folder / name) for name in ("ZENML_CONFIG_PATH", "BENTOML_HOME", "CREDENCE_HOME")}
        for store in stores.values():
            Path(store).mkdir()
        self.environment = {**os.environ, **stores, "HOME": str(folder), "PYTHONPATH": ""}
        self.uv("venv", "--python", sys.executable, "venv")

    def uv(self, *arguments: str) -> None:
        """uv as this machine's pip is configured: wheels of a folder, certificates."""
        own = {"SSL_CERT_FILE": os.environ["PIP_CERT"]} if "PIP_CERT" in os.environ else {}
        command = [sys.executable, "-m", "uv", *arguments]
        subprocess.run(command, cwd=self.folder, env={**os.environ, **own}, check=True, capture_output=True)

    def install(self, requirement: str) -> None:
        """Install a requirement, with torch as its CPU build."""
        local = os.environ.get("PIP_FIND_LINKS")
        torch = ("--find-links", local) if local else ("--torch-backend", "cpu")
        self.uv("pip", "install", "--python", "venv", *torch, requirement)

    def run(self, program: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
        command = [str(self.folder / "venv" / "bin" / program), *arguments]
        return subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False
        )

    def output(self, program: str, *arguments: str) -> str:
        """What a program printed. Fails the test where it failed."""
        done = self.run(program, *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def mebibytes(self) -> float:
        files = (self.folder / "venv" / "lib").rglob("*")
        return sum(file.stat().st_size for file in files if file.is_file() and not file.is_symlink()) / 2**20


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def plain(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    made = Environment(tmp_path_factory.mktemp("plain"))
    made.install(str(wheel))
    return made


def installed(extra: str, wheel: Path, folder: Path) -> Environment:
    made = Environment(folder)
    made.install(f"credence-ml[{extra}] @ {wheel.as_uri()}")
    (folder / "churn.csv").write_text(TABLE)
    return made


def test_a_plain_installation_is_small(plain: Environment) -> None:
    seconds = min(float(plain.output("python", "-c", IMPORT_SECONDS)) for _ in range(5))
    print(f"{plain.mebibytes():.0f} MiB, import credence in {seconds:.3f} s")
    assert plain.mebibytes() < MAX_PLAIN_MIB


def test_a_plain_installation_answers_as_before(plain: Environment) -> None:
    names = ("logistic", "lightgbm", "tfidf", "random_forest", "voting", "bayesian_logistic", "hierarchical")
    assert plain.output("python", "-c", ANSWER, *names).strip() == "[]"


def test_a_plain_installation_names_the_extra_that_a_command_needs(plain: Environment) -> None:
    (plain.folder / "churn.csv").write_text(TABLE)
    done = plain.run("credence", *OWN_TABLE)
    assert done.returncode == 2
    assert done.stderr.strip().endswith("pip install 'credence-ml[train]'.")


@pytest.mark.parametrize("extra", sorted(DEMO))
def test_an_extra_does_what_it_is_for(extra: str, wheel: Path, tmp_path: Path) -> None:
    made = installed(extra, wheel, tmp_path)
    made.output("python", *DEMO[extra])
    print(f"{extra}: {made.mebibytes():.0f} MiB")


def test_train_reads_a_table_and_names_the_extra_that_pipelines_need(wheel: Path, tmp_path: Path) -> None:
    made = installed("train", wheel, tmp_path)
    assert "candidates: logistic" in made.output("credence", *OWN_TABLE, "--dry-run", *ONE_CANDIDATE)
    done = made.run("credence", *OWN_TABLE, *ONE_CANDIDATE)
    assert done.returncode == 2
    assert done.stderr.strip().endswith("needs zenml, which is not installed: pip install 'credence-ml[pipelines]'.")


@pytest.mark.parametrize("extra", ["pipelines", "all"])
def test_the_command_trains_deploys_and_goes_on_in_any_folder(extra: str, wheel: Path, tmp_path: Path) -> None:
    made = installed(extra, wheel, tmp_path)
    first = made.output("credence", *OWN_TABLE, *ONE_CANDIDATE)
    again = made.output("credence", *OWN_TABLE, *ONE_CANDIDATE)
    assert "logistic (winner)" in first
    assert "steps were served from the cache" in again

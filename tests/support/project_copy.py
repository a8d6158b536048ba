"""A copy of the project in a place of its own, with its own ZenML, MLflow and BentoML stores, run as a user runs it."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PARTS = ("credence", "cli", "steps", "pipelines", "materializers", "stacks", "bentos", "tasks", "prompts")
ASK = """
import json, sys
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient
from zenml.client import Client
name = sys.argv[1]
versions = Client().list_model_versions(model=name, size=100, hydrate=True).items
tracker = Client().active_stack.experiment_tracker
client = MlflowClient(tracking_uri=tracker.get_tracking_uri())
try:
    alias = client.get_model_version_by_alias(name, "champion").tags.get("zenml_version")
except MlflowException:
    alias = None
runs = client.search_runs([e.experiment_id for e in client.search_experiments()])
print("ASKED " + json.dumps({
    "stages": {v.number: v.stage for v in versions},
    "promotions": {
        v.number: [x for k, x in sorted(v.run_metadata.items()) if k.startswith("promotion ")] for v in versions
    },
    "alias": alias,
    "runs": [{
        "name": r.info.run_name, "nested": "mlflow.parentRunId" in r.data.tags, "parameters": r.data.params,
        "metrics": r.data.metrics, "files": [f.path for f in client.list_artifacts(r.info.run_id)],
    } for r in runs],
    "registered": len(client.search_model_versions(f"name = '{name}'")),
}))
"""


@dataclass(frozen=True)
class Project:
    """The copy, and how to run it."""

    folder: Path

    @classmethod
    def copy(cls, folder: Path) -> "Project":
        for part in PARTS:
            shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "run.py", folder / "run.py")
        for store in ("zenml", "bentoml"):
            (folder / "stores" / store).mkdir(parents=True)
        return cls(folder)

    @property
    def environment(self) -> dict[str, str]:
        """A user's: the stores are the copy's own, and how much is logged is left to run.py."""
        stores = {
            "ZENML_CONFIG_PATH": str(self.folder / "stores/zenml"),
            "BENTOML_HOME": str(self.folder / "stores/bentoml"),
            "CREDENCE_HOME": str(self.folder / "stores/credence"),
        }
        return {k: v for k, v in os.environ.items() if k != "ZENML_LOGGING_VERBOSITY"} | stores

    def start(self, *arguments: str, **options: Any) -> "subprocess.Popen[str]":
        command = [sys.executable, "run.py", *arguments]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
        return subprocess.Popen(command, cwd=self.folder, env=self.environment, text=True, **pipes)

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        with self.start(*arguments) as process:
            out, err = process.communicate(timeout=600)
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)

    def registries(self, name: str) -> dict[str, Any]:
        """What ZenML's and MLflow's registries say of a model."""
        (self.folder / "ask.py").write_text(ASK)
        answer: dict[str, Any] = json.loads(self.python("ask.py", name))
        return answer

    def python(self, *command: str) -> str:
        """What a script of the copy printed after ASKED. A file, since ZenML takes its folder for the source root."""
        options: dict[str, Any] = {"cwd": self.folder, "env": self.environment, "capture_output": True, "text": True}
        done = subprocess.run([sys.executable, *command], check=False, **options)
        line = next((x for x in done.stdout.splitlines() if x.startswith("ASKED")), None)
        assert line, done.stdout + done.stderr
        return line.removeprefix("ASKED").strip()

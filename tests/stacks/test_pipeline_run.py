"""A pipeline's run: what ZenML would do on the way is done only where it serves somebody."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
SMALL = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from zenml import pipeline, step
from zenml.integrations.registry import integration_registry
from stacks.pipeline_run import run_pipeline

@step(enable_cache=False)
def answer() -> str:
    return "42"

@pipeline(enable_cache=False)
def small() -> None:
    answer()

before = integration_registry.activate_integrations
run = run_pipeline(small)
assert integration_registry.activate_integrations == before
print(run.status, *{{"torch", "lightgbm", "bentoml"}} & sys.modules.keys())
"""


def test_libraries_that_no_step_uses_are_not_imported(tmp_path: Path) -> None:
    (tmp_path / "small.py").write_text(SMALL)
    done = subprocess.run([sys.executable, "small.py"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "completed"

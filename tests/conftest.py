"""Every test lives in a place of its own: nothing of the user's stores is touched, nothing is left behind."""

import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).parents[1]
SCRATCH = Path(tempfile.mkdtemp(prefix="credence-"))
SCRATCH.chmod(0o711)  # a database server runs as a user of its own
OWN_PLACE = {
    "TMPDIR": str(SCRATCH),
    "ZENML_CONFIG_PATH": str(SCRATCH / "zenml"),
    "BENTOML_HOME": str(SCRATCH / "bentoml"),
    "CREDENCE_HOME": str(SCRATCH / "credence"),
    "HF_HOME": str(SCRATCH / "huggingface"),
    "MPLCONFIGDIR": str(SCRATCH / "matplotlib"),
    "PROMETHEUS_MULTIPROC_DIR": str(SCRATCH / "prometheus"),
    "ZENML_ANALYTICS_OPT_IN": "false",
    "ZENML_LOGGING_VERBOSITY": "ERROR",
    "BENTOML_DO_NOT_TRACK": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "OMP_NUM_THREADS": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
}
os.environ.update(OWN_PLACE)
tempfile.tempdir = str(SCRATCH)
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background ignores it, and so would our children
for folder in ("zenml", "bentoml", "prometheus"):
    (SCRATCH / folder).mkdir()
sys.path.insert(0, str(ROOT))
sys.modules["__main__"].__file__ = str(ROOT / "run.py")  # ZenML takes the main module's folder for the project's

LONGEST = [
    f"test_{name}.py"
    for name in (
        "training",
        "generation",
        "challenger",
        "writers_over_http",
        "served",
        "contracts",
        "learning",
        "hot_swap",
    )
]

settings.register_profile("house", deadline=None, database=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("house")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The files that take longest go first, or one worker would end with them alone."""
    items.sort(key=lambda item: LONGEST.index(item.path.name) if item.path.name in LONGEST else len(LONGEST))


def pytest_unconfigure() -> None:
    """The places of workers lie in that of the process that hands the tests out."""
    shutil.rmtree(SCRATCH, ignore_errors=True)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real data sets that lie beside a checkout; tests that want them skip where they are absent."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the shared data sets are not on this machine")
    return folder

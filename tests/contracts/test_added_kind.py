"""A model kind is added by one file of under thirty lines; the contract tests find it and pass."""

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOREST = '''"""Nearest neighbours; each draw is the vote of one fold's neighbours."""

from typing import Any

from pydantic import Field
from sklearn.neighbors import KNeighborsClassifier

from credence.model import Labels
from credence.models.tabular import TabularModel


class Forest(TabularModel):
    """The `neighbours` nearest rows vote, weighted by 1 / distance."""

    neighbours: int = Field(15, ge=1)

    def _estimator(self, y: Labels) -> Any:
        return KNeighborsClassifier(min(self.neighbours, len(y)), weights="distance")
'''


def test_a_kind_is_one_file_of_under_thirty_lines(tmp_path: Path) -> None:
    assert len(FOREST.splitlines()) < 30
    shutil.copytree(ROOT / "credence", tmp_path / "credence", ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("contracts/test_contracts.py", "support/small_kinds.py", "support/pretrained_cases.py"):
        (tmp_path / "tests" / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / "tests" / file, tmp_path / "tests" / file)
    (tmp_path / "credence" / "models" / "kinds" / "forest.py").write_text(FOREST)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-k",
        "forest and not random",
        "--import-mode=importlib",
        "tests/contracts/test_contracts.py",
    ]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout[-3000:] + ran.stderr[-2000:]
    assert " passed" in ran.stdout
    assert "skipped" not in ran.stdout
    assert int(ran.stdout.rsplit(" passed", 1)[0].split()[-1]) >= 15

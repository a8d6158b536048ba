"""A network through the whole path: it learns, shows its curves, is judged, packaged, and answers over HTTP."""

import re
from pathlib import Path

import numpy as np
import pandas as pd

from tests.support.project_copy import Project

MODELS = (
    "models=[{kind: tfidf}, {kind: bilstm, width: 16, epochs: 12, learning_rate: 0.01, passes: 10, "
    "checkpoint_seconds: 0}]"
)


def what_comes_first(rows: int) -> pd.DataFrame:
    """Which of two words is first: words and pairs of words far apart cannot tell, a network that reads can."""
    rng = np.random.default_rng(0)
    filler = rng.choice(["the", "one", "then", "so", "and", "well"], (rows, 4))
    yes = rng.integers(0, 2, rows)
    pairs = [("red", "blue") if y else ("blue", "red") for y in yes]
    said = [f"{p[0]} {' '.join(f)} {p[1]}" for f, p in zip(filler, pairs, strict=True)]
    return pd.DataFrame({"said": said, "first": np.where(yes, "red", "blue")}).drop_duplicates("said")


def test_a_network_learns_is_judged_and_served(tmp_path: Path) -> None:
    project = Project.copy(tmp_path / "project")
    what_comes_first(900).to_csv(tmp_path / "first.csv", index=False)
    data = ("--data", str(tmp_path / "first.csv"), "--label", "first", "--positive", "red", "--text", "said")
    done = project.run(*data, "--set", MODELS)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "promote: " in done.stdout and "same answers over HTTP" in done.stdout
    lines = [line for line in done.stdout.splitlines() if re.match(r"(bilstm|tfidf) ", line)]
    assert lines[0].startswith("bilstm (winner)")

    runs = {r["name"]: r for r in project.registries("first")["runs"]}
    curves = runs["bilstm learning"]
    assert curves["nested"] and {"loss", "held_out", "learning_rate", "gradient_norm"} <= set(curves["metrics"])
    assert "tfidf learning" not in runs
    (folder,) = (project.folder / "stores/credence/training").iterdir()
    assert folder.name.startswith("bilstm-")
    assert {f.name for f in folder.iterdir()} >= {"milestone", "production", "history.json"}
    assert not (folder / "training").exists()

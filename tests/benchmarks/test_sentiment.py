"""The task about film reviews, on a few reviews in the layout of its data set: no hub, no network."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks import sentiment
from credence.core.errors import InputError
from credence.core.registry import ModelSpec
from credence.data.rows import model_inputs, to_canonical_rows
from credence.data.split import assign_parts
from credence.experiment import run_experiment
from credence.task import Task

FILE = Path(__file__).parents[2] / "tasks" / "sentiment.yaml"
PARTS = {"train": 120, "test": 60}


def review(positive: bool, rng: np.random.Generator) -> str:
    told = rng.choice(["splendid", "moving", "bright"] if positive else ["dull", "awful", "boring"])
    return f"The {rng.choice(['plot', 'film', 'cast'])} {rng.integers(10**6)} is {told}.<br /><br />Caf\x85 &amp; more"


def reviews(seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    rows = [(part, i % 2, review(bool(i % 2), rng)) for part, n in PARTS.items() for i in range(n)]
    return pd.DataFrame(rows, columns=["split", "label", "text"])


def unpacked(root: Path) -> Path:
    """Files as aclImdb_v1.tar.gz holds them, with its unlabelled reviews and word list."""
    for i, (part, label, text) in enumerate(reviews().itertuples(index=False)):
        place = root / part / ("pos" if label else "neg")
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{i}_{9 if label else 2}.txt").write_text(text, encoding="utf-8")
    (root / "train" / "unsup").mkdir()
    (root / "train" / "unsup" / "0_0.txt").write_text("nobody judged this one")
    (root / "imdb.vocab").write_text("the\n")
    return root


def from_folder(root: Path) -> Task:
    return Task.read(FILE, {"source": {"kind": "folder", "path": str(root)}})


def test_the_file_asks_the_hub_for_the_official_halves() -> None:
    task = Task.read(FILE)
    assert task.source.model_dump() == {"kind": "hub", "name": "stanfordnlp/imdb", "split": ["train", "test"]}
    assert task.columns.text == "text"
    assert task.split.column == "split"


def test_without_the_hub_the_sentence_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("datasets.config.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(InputError, match="'stanfordnlp/imdb' was not read from the Hugging Face Hub"):
        Task.read(FILE).source.build().read()


def test_the_candidates_in_comments_are_candidates() -> None:
    lines = [line.strip().removeprefix("# - ") for line in FILE.read_text().splitlines() if "# - {kind:" in line]
    specs = [
        ModelSpec.model_validate(dict(pair.split(": ") for pair in line.strip("{}").split(", "))) for line in lines
    ]
    assert {spec.kind for spec in specs} == {"embeddings", "transformer"}
    for spec in specs:
        assert spec.build().reads == "text"


def test_unpacked_reviews_become_a_calibrated_answer(tmp_path: Path) -> None:
    task = from_folder(unpacked(tmp_path / "aclImdb"))
    raw = task.source.build().read()
    found = run_experiment(task, to_canonical_rows(raw, task.columns, task.split.split_columns()))
    assert len(found.test) == PARTS["test"]
    assert len(found.train) + len(found.calibration) == PARTS["train"]
    answers = found.challenger.predict(found.test)
    assert (answers["label"] == np.where(found.test["label"] == 1, "positive", "negative")).mean() > 0.9


def test_the_official_halves_stay_apart(tmp_path: Path) -> None:
    task = from_folder(unpacked(tmp_path / "aclImdb"))
    raw = task.source.build().read()
    rows = to_canonical_rows(raw, task.columns, task.split.split_columns())
    part = assign_parts(rows, task.split)
    assert (part == "test").tolist() == (raw["split"] == "test").tolist()
    assert 0 < (part == "calibration").sum() < (part == "train").sum()
    assert not raw["text"].str.contains("nobody judged").any()


def test_the_rating_is_no_input(tmp_path: Path) -> None:
    table = reviews().assign(rating=lambda t: np.where(t["label"] == 1, 9, 2), id=range(sum(PARTS.values())))
    table.to_parquet(tmp_path / "imdb.parquet")
    source = {"kind": "parquet", "path": str(tmp_path / "imdb.parquet")}
    task = Task.read(FILE, {"source": source, "columns.positive": 1})
    rows = to_canonical_rows(task.source.build().read(), task.columns, task.split.split_columns())
    assert set(model_inputs(rows)) == {"text", "group"}
    assert not rows["text"].str.contains("[29]$").any()


def test_the_benchmark_writes_one_line_and_keeps_the_others() -> None:
    page = f"before\n{sentiment.BEGIN}{sentiment.END}after\n"
    parts = sentiment.dealt(reviews().assign(rating=0))
    line = sentiment.measured("tfidf", sentiment.Candidate({"kind": "tfidf", "folds": 2}), parts, None)
    assert line.startswith(f"| tfidf | {len(parts['train'])} | {len(parts['test'])} | ")
    assert line.count("|") == sentiment.HEAD.partition("\n")[0].count("|")
    once = sentiment.with_line(sentiment.with_line(page, "tfidf", line), "scikit-learn", "| scikit-learn | 1 |")
    again = sentiment.with_line(once, "tfidf", "| tfidf | 2 |")
    table = again.partition(sentiment.BEGIN)[2].partition(sentiment.END)[0].removeprefix(sentiment.HEAD)
    assert table == "| scikit-learn | 1 |\n| tfidf | 2 |\n"
    assert again.startswith("before\n") and again.endswith("after\n")

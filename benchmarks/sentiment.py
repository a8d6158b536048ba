"""Film reviews in their official halves: what each kind that reads texts reaches, calibrated as a task would be.

    python -m benchmarks.sentiment imdb.parquet [--only tfidf] [--rows 2000] [--write docs/benchmarks/sentiment.md]

The table has the columns text, label (1 is positive) and split. An eighth of the training half calibrates, as in
tasks/sentiment.yaml; the test half is used for nothing but these figures. One thread. `--write` puts the candidates
that were measured into the page and leaves the others' lines as they are.
"""

import argparse
import re
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from threadpoolctl import threadpool_limits

from credence.core.registry import ModelSpec
from credence.data.rows import Columns, model_inputs, sample_rows, to_canonical_rows
from credence.data.split import PARTS, Split, assign_parts
from credence.predictor import Predictor, TaskInfo
from credence.reporting.measure import measure_with_intervals, score_with_interval
from credence.statistics.bootstrap import bootstrap_weights
from credence.statistics.calibration import Calibration
from credence.statistics.metrics import score
from credence.statistics.selective_prediction import selective_measures
from credence.statistics.uncertainty import Array, entropy

ABOUT = TaskInfo(task="sentiment", question="Is this review positive?", answers=("negative", "positive"))
SPLIT = Split(column="split", calibration=0.1)
RESAMPLES = 200
BEGIN, END = "<!-- figures -->\n", "<!-- end of figures -->"
HEAD = (
    "| candidate | rows | tested on | F1 (95 %) | accuracy | AUROC | ECE | risk | at 80 % coverage | fit CPU s | "
    "ms per row |\n|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n"
)


@dataclass(frozen=True)
class Candidate:
    """A kind with its parameters, and the rows of each half that it is given; None is all of them."""

    spec: dict[str, Any]
    train: int | None = None
    test: int | None = None


MINILM, SHORT = {"checkpoint": "minilm", "longest": 128}, {"checkpoint": "minilm", "longest": 64}
TUNED = {"kind": "transformer", "epochs": 2, "freeze": 3, "batch_rows": 16, "learning_rate": 1e-4}
FEW = (1000, 1000)
CANDIDATES = {
    "scikit-learn": Candidate({}),
    "tfidf": Candidate({"kind": "tfidf"}),
    "embeddings": Candidate({"kind": "embeddings", **MINILM}),
    "tfidf, few rows": Candidate({"kind": "tfidf"}, *FEW),
    "embeddings, few rows": Candidate({"kind": "embeddings", **MINILM}, *FEW),
    "transformer, few rows": Candidate({**TUNED, **SHORT}, *FEW),
}
Parts = dict[str, pd.DataFrame]


def main() -> None:
    """Measure the candidates one after the other, print their lines, and put them into a page with --write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", type=Path)
    parser.add_argument("--only", nargs="*", choices=list(CANDIDATES), default=list(CANDIDATES))
    parser.add_argument("--rows", type=int, help="at most so many rows to learn from, and half as many to test on")
    parser.add_argument("--write", type=Path)
    args = parser.parse_args()
    parts = dealt(pd.read_parquet(args.table))
    for name in args.only:
        with threadpool_limits(1):
            line = measured(name, CANDIDATES[name], parts, args.rows)
        print(line, flush=True)
        if args.write:
            args.write.write_text(with_line(args.write.read_text(), name, line))


def dealt(raw: pd.DataFrame) -> Parts:
    """The canonical rows of each part."""
    rows = to_canonical_rows(raw, Columns(label="label", positive=1, text="text"), SPLIT.split_columns())
    part = assign_parts(rows, SPLIT)
    return {name: rows[part == name].reset_index(drop=True) for name in PARTS}


def measured(name: str, candidate: Candidate, parts: Parts, most: int | None) -> str:
    """A line of the table."""
    train = sample_rows(parts["train"], least(candidate.train, most))
    test = sample_rows(parts["test"], least(candidate.test, most and most // 2))
    begin = time.process_time()
    if name == "scikit-learn":
        p, threshold, seconds = plain(pd.concat([train, parts["calibration"]]), test)
        learned, began = len(train) + len(parts["calibration"]), begin + seconds
    else:
        predictor = calibrated(candidate, train, parts["calibration"], least(candidate.train, most))
        learned, seconds, threshold = (
            len(train),
            predictor.model.training_record().cpu_seconds or 0.0,
            predictor.info.threshold,
        )
        began = time.process_time()
        p = predictor.draws(test).mean(0)
    spent = time.process_time() - began
    print(f"{name}: {seconds:.0f} s to fit, {spent:.0f} s to answer", file=sys.stderr, flush=True)
    figures = quality(p, p >= threshold, test["label"].to_numpy())
    return f"| {name} | {learned:,} | {len(test):,} | {figures} | {seconds:,.0f} | {1000 * spent / len(test):.1f} |"


def least(*limits: int | None) -> int | None:
    """The smallest of these limits; None where there is none."""
    return min((n for n in limits if n is not None), default=None)


def calibrated(candidate: Candidate, train: pd.DataFrame, calibration: pd.DataFrame, most: int | None) -> Predictor:
    """Learned and calibrated as the pipeline does it; few rows are calibrated on half as many."""
    model = ModelSpec(**candidate.spec).build().fit(model_inputs(train), train["label"].to_numpy())
    return Predictor.calibrate(model, train, sample_rows(calibration, most and most // 2), Calibration(), ABOUT, "f1")


def plain(known: pd.DataFrame, test: pd.DataFrame) -> tuple[Array, float, float]:
    """TF-IDF and logistic regression as a scikit-learn user tunes them, learned from all that is not tested on."""
    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=2)
    pipeline = make_pipeline(words, LogisticRegression(C=10, solver="liblinear"))
    begin = time.process_time()
    pipeline.fit(known["text"], known["label"])
    seconds = time.process_time() - begin
    return pipeline.predict_proba(test["text"])[:, 1], 0.5, seconds


def quality(p: Array, yes: Any, y: Any) -> str:
    """F1 with its interval, accuracy, AUROC, ECE, the share of errors, and that among the 80 % most certain rows."""
    f1 = score_with_interval("f1", p, yes, y, bootstrap_weights(None, len(y), RESAMPLES, 0))
    doubt = measure_with_intervals(selective_measures(entropy(p), yes != y), np.ones((1, len(y)), dtype=np.int64))
    plain = " | ".join(f"{score(m, p, yes, y):.3f}" for m in ("accuracy", "auroc"))
    risk, ece = float((yes != y).mean()), score("ece", p, yes, y)
    return f"{f1.text()} | {plain} | {ece:.4f} | {risk:.4f} | {doubt['risk_at_coverage_80'].value:.4f}"


def with_line(page: str, name: str, line: str) -> str:
    """The page with this candidate's line in its table, and the others' as they were, in the order of CANDIDATES."""
    before, _, rest = page.partition(BEGIN)
    table, _, after = rest.partition(END)
    found = {m[1]: m[0] for m in re.finditer(r"^\| (.+?) \|.+$", table.removeprefix(HEAD), re.MULTILINE)} | {name: line}
    lines = "".join(found[known] + "\n" for known in CANDIDATES if known in found)
    return f"{before}{BEGIN}{HEAD}{lines}{END}{after}"


if __name__ == "__main__":
    main()

"""Real tables beside a checkout, each drafted without YAML, against scikit-learn's defaults on the same rows.

    python -m benchmarks.data_sets FOLDER [--only bank_churn] [--repeats 5] [--write docs/benchmarks/tables.md]

Every repeat deals new parts (split.salt). The baselines learn from all rows that are not test rows, as a scikit-learn
user's would; ours holds its calibration rows back. Every library runs on one thread.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.decomposition import TruncatedSVD
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler
from threadpoolctl import threadpool_limits

from credence.core.registry import SourceSpec
from credence.data.drafting import draft_task
from credence.data.rows import model_inputs, sample_rows, to_canonical_rows
from credence.data.split import Split
from credence.experiment import Experiment, run_experiment
from credence.statistics.calibration import ConformalSets
from credence.statistics.metrics import score
from credence.task import Task

PAGE = """# Eight public tables

After this page you know how a drafted task compares with scikit-learn on eight public data sets.

```bash
python -m benchmarks.data_sets FOLDER --write docs/benchmarks/tables.md
python -m benchmarks.data_sets FOLDER --only bank_churn --repeats 5
```

Each table is drafted by `run.py --data` without YAML. The baselines are scikit-learn's logistic regression and its
HistGradientBoosting (with early stopping) as in their documentation; on text they get scikit-learn's TF-IDF, the
second one through 100 singular vectors.

Figures are means over repeats. Every repeat assigns new parts, the same for all models. The baselines are trained
on all rows that are not test rows; ours holds its calibration rows back. One thread each; seconds are those of all
candidates together, and noisy. `adult` and `imdb` are samples of 10,000 rows.

"""
METRICS = ("accuracy", "auroc", "log_loss", "ece")
SETS: dict[str, dict[str, Any]] = {
    "breast_cancer": {"source": {"kind": "sklearn", "name": "breast_cancer"}, "label": "target", "positive": "0"},
    "adult": {"path": "adult/adult.data", "label": "Y", "rows": 10_000, "repeats": 2},
    "heart_cleveland": {"path": "heart_cleveland/processed.cleveland.data", "label": "Target", "positive": "1,2,3,4"},
    "bank_churn": {"path": "bank_churn/Churn_Modelling_m.csv", "label": "Exited", "repeats": 2},
    "breast_cancer_ljubljana": {"path": "breast_cancer_ljubljana/breast-cancer.csv", "label": "last"},
    "sms_spam": {"path": "sms_spam/spam.csv", "label": "v1", "text": "v2"},
    "imdb": {"path": "imdb/imdb.parquet", "label": "label", "text": "text", "rows": 10_000, "repeats": 2},
    "babe": {
        "path": "babe/final_labels_SG2.csv",
        "label": "label_bias",
        "positive": "Biased",
        "text": "text",
        "repeats": 2,
    },
}


def main() -> None:
    """Run the table and print it; --write puts it into a page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", nargs="*", default=list(SETS))
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--write", type=Path)
    args = parser.parse_args()
    found = []
    for name in args.only:
        with threadpool_limits(1):
            for row in measure(name, args.folder, args.repeats):
                found.append(row)
                print(json.dumps(row), file=sys.stderr, flush=True)
    table = summary(pd.DataFrame(found))
    print(table)
    if args.write:
        args.write.write_text(table)


def measure(name: str, folder: Path, repeats: int) -> Iterator[dict[str, Any]]:
    """One row of figures per repeat and per model."""
    about = SETS[name]
    source = about.get("source") or {
        "kind": "parquet" if about["path"].endswith("parquet") else "csv",
        "path": str(folder / about["path"]),
    }
    raw = SourceSpec(**source).build().read()
    content = draft_task(raw, name, source, about["label"], about.get("positive"), about.get("text")).content
    task = Task(name=name, **content)
    rows = sample_rows(to_canonical_rows(raw, task.columns, task.split.split_columns()), about.get("rows"))
    for repeat in range(min(repeats, about.get("repeats", repeats))):
        split = task.split if task.split.column else Split(salt=str(repeat))
        start = time.perf_counter()
        found = run_experiment(task.model_copy(update={"split": split}), rows)
        yield {
            "set": name,
            "repeat": repeat,
            "model": "credence",
            "seconds": time.perf_counter() - start,
            **ours(found),
        }
        for model, pipeline in baselines("text" in rows).items():
            yield {"set": name, "repeat": repeat, "model": model, **theirs(pipeline, found)}


def ours(found: Experiment) -> dict[str, Any]:
    """The challenger's figures on the test part, with its conformal coverage and that figure's standard error."""
    predictor, y = found.challenger, found.test["label"].to_numpy()
    p = predictor.draws(found.test).mean(0)
    inside = predictor.info.conformal.sets(p)[np.arange(len(y)), y]
    return {
        "chosen": predictor.model.display_name(),
        **{m: score(m, p, p >= predictor.info.threshold, y) for m in METRICS},
        "coverage": float(inside.mean()),
        "coverage_error": coverage_error(y, found.test["row_id"], predictor.info.conformal),
    }


def coverage_error(y: Any, ids: pd.Series, conformal: ConformalSets) -> float:
    """The standard error of the coverage: both parts are samples, and equal rows stand or fall together."""
    level, together = 1 - conformal.alpha, float((ids.value_counts() ** 2).sum() / len(ids))
    parts = [(int((y == c).sum()), len(scores)) for c, scores in enumerate((conformal.no, conformal.yes))]
    variances = [(n / len(y)) ** 2 * level * (1 - level) * together * (1 / n + 1 / m) for n, m in parts]
    return float(np.sqrt(sum(variances)))


def theirs(pipeline: Pipeline, found: Experiment) -> dict[str, Any]:
    """A baseline's figures, learned from every row that is not a test row."""
    known, y = pd.concat([found.train, found.calibration]), found.test["label"].to_numpy()
    start = time.perf_counter()
    pipeline.fit(model_inputs(known), known["label"])
    seconds = time.perf_counter() - start
    p = pipeline.predict_proba(model_inputs(found.test))[:, 1]
    return {"seconds": seconds, **{m: score(m, p, p >= 0.5, y) for m in METRICS}}


def baselines(text: bool) -> dict[str, Pipeline]:
    """Logistic regression and gradient boosting as their documentation shows them."""
    boosting = HistGradientBoostingClassifier(early_stopping=True, random_state=0)
    if text:
        return {
            "logistic": make_pipeline(_text(), LogisticRegression(max_iter=1000)),
            "boosting": make_pipeline(_text(), TruncatedSVD(100, random_state=0), boosting),
        }
    words = make_column_selector(dtype_include=object)
    numbers = make_column_selector(dtype_include="number")
    scaled = make_pipeline(SimpleImputer(), StandardScaler())
    one_hot = OneHotEncoder(handle_unknown="ignore")
    ordinal = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-1)
    return {
        "logistic": make_pipeline(
            make_column_transformer((one_hot, words), (scaled, numbers)), LogisticRegression(max_iter=1000)
        ),
        "boosting": make_pipeline(make_column_transformer((ordinal, words), ("passthrough", numbers)), boosting),
    }


def _text() -> Any:
    return make_column_transformer((TfidfVectorizer(), "text"))


def summary(found: pd.DataFrame) -> str:
    """The page: means over repeats, ours beside the better baseline."""
    mean = found.groupby(["set", "model"], sort=False)[[*METRICS, "seconds"]].mean()
    lines = [PAGE + "| set | model | accuracy | AUROC | log-loss | ECE | seconds |", "|---|---|--:|--:|--:|--:|--:|"]
    for (name, model), row in mean.iterrows():
        lines.append(
            f"| {name} | {model} | " + " | ".join(f"{row[m]:.4f}" for m in METRICS) + f" | {row['seconds']:.1f} |"
        )
    lines += [
        "",
        "| set | repeats | AUROC − better | log-loss − better | coverage of 90 % sets | standard errors off | chosen |",
        "|---|--:|--:|--:|--:|--:|---|",
    ]
    for name in found["set"].unique():
        us, them = mean.loc[(name, "credence")], mean.loc[name].drop("credence")
        own = found[(found["set"] == name) & (found["model"] == "credence")]
        off = (own["coverage"].mean() - 0.9) / (own["coverage_error"].mean() / np.sqrt(len(own)))
        lines.append(
            f"| {name} | {len(own)} | {us['auroc'] - them['auroc'].max():+.4f} "
            f"| {us['log_loss'] - them['log_loss'].min():+.4f} "
            f"| {own['coverage'].mean():.3f} | {off:+.1f} | {', '.join(own['chosen'].unique())} |"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()

"""Statements of arithmetic, true or false: what each kind of model makes of them, of larger numbers, of a new family.

    python -m benchmarks.reasoning [--kinds tfidf relations] [--rows 8000] [--seeds 3] [--largest 999] [--elsewhere 1]
                                   [--figures FILE] [--write]

Statements come from the offline provider's generator; every seed deals others. All models see the same rows. With a
file for figures a table can be made in parts: what was measured before is read from it.
"""

import argparse
import json
import os
import sys
from collections.abc import Iterable
from math import inf
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from sklearn.metrics import roc_auc_score
from threadpoolctl import threadpool_limits

from benchmarks.statements import FARTHER, Parts, by_size, dealt, enough, statements
from credence.core.registry import ModelSpec, available_kinds
from credence.data.rows import model_inputs
from credence.generation.arithmetic import CATEGORIES
from credence.predictor import Predictor, TaskInfo
from credence.statistics.bootstrap import bootstrap_weights
from credence.statistics.calibration import Calibration
from credence.statistics.metrics import METRICS
from credence.statistics.uncertainty import decompose_uncertainty

OFF = {"mdl": False, "evidence": False, "debias": False}
SPECS: dict[str, dict[str, Any]] = {
    "tfidf": {"kind": "tfidf"},
    "bilstm": {"kind": "bilstm"},
    "bilstm, relations": {"kind": "bilstm", "relations": True},
    "transformer, digits": {"kind": "bayesian_transformer", "relations": False, "fone": False, **OFF},
    "transformer, numbers": {"kind": "bayesian_transformer", "relations": False, **OFF},
    "transformer, relations": {"kind": "bayesian_transformer", **OFF},
    "bayesian_transformer": {"kind": "bayesian_transformer"},
    "relations": {"kind": "relations"},
    "hierarchical": {"kind": "hierarchical", "chains": 2, "warmup": 300, "samples": 300},
}
ROWS = 8000
RESAMPLES = 1000
PAGE, BEGIN, END = Path("docs/benchmarks/reasoning.md"), "<!-- figures -->\n", "<!-- end of figures -->"
Array = np.ndarray[Any, np.dtype[np.float64]]
Interval = list[float]


def learned(spec: dict[str, Any], seed: int, parts: Parts) -> Predictor:
    """A calibrated predictor."""
    model = ModelSpec(**spec, seed=seed).build()
    model.fit(model_inputs(parts.train), parts.train["label"].to_numpy())
    about = TaskInfo(task="reasoning", question="Is this statement true?", answers=("no", "yes"), group="category")
    return Predictor.calibrate(model, parts.train, parts.calibration, Calibration(), about)


def told_apart(predictor: Predictor, usual: pd.DataFrame, other: pd.DataFrame) -> dict[str, float]:
    """How well doubt tells other rows from usual ones (AUROC, total and disagreement), and what the guard flags."""
    doubts = [decompose_uncertainty(predictor.draws(rows))[:2] for rows in (usual, other)]
    is_other = np.repeat([0, 1], [len(usual), len(other)])
    total, disagreement = (np.concatenate([doubt[i] for doubt in doubts]) for i in (0, 1))
    flagged = [
        np.mean([bool(why) for why in predictor.info.schema_.warnings(model_inputs(rows))]) for rows in (usual, other)
    ]
    return {
        "auroc": float(roc_auc_score(is_other, total)),
        "disagreement": float("nan") if np.isnan(disagreement).any() else float(roc_auc_score(is_other, disagreement)),
        "flagged": float(flagged[1]),
        "flagged_usual": float(flagged[0]),
    }


def samples(predictor: Predictor, rows: pd.DataFrame, seed: int) -> dict[str, Array]:
    """Each metric on these rows, then on resamples of them, shape (1 + RESAMPLES,)."""
    y, p = rows["label"].to_numpy(), predictor.draws(rows).mean(0)
    w = np.vstack([np.ones((1, len(rows))), bootstrap_weights(None, len(rows), RESAMPLES, seed)])
    yes = p >= predictor.info.threshold
    found = {name: METRICS[name].of(p, yes, y, w) for name in ("accuracy", "log_loss", "ece")}
    for category in sorted(set(rows["group"])):
        of = (rows["group"] == category).to_numpy()
        found[category] = METRICS["accuracy"].of(p[of], yes[of], y[of], w[:, of])
    return found


def over_seeds(found: list[dict[str, Array]]) -> dict[str, Interval]:
    """Mean over seeds and the 95 % interval of drawing seeds and rows anew."""
    pick = np.random.default_rng(0).integers(0, len(found), (len(found), RESAMPLES))
    figures = {}
    for name in found[0]:
        values = np.stack([f[name] for f in found])
        again = values[pick, np.arange(1, RESAMPLES + 1)].mean(0)
        figures[name] = [float(values[:, 0].mean()), *(float(q) for q in np.nanquantile(again, [0.025, 0.975]))]
    return figures


def measured(spec: dict[str, Any], train: int, seeds: int, largest: float = inf) -> dict[str, Any]:
    """The figures of one kind on statements like those it learned from."""
    plain, seconds = [], []
    for seed in range(seeds):
        parts, before = dealt(statements(seed, enough(train), largest), train), sum(os.times()[:4])
        predictor = learned(spec, seed, parts)
        seconds.append(sum(os.times()[:4]) - before)
        plain.append(samples(predictor, parts.test, seed))
        print(json.dumps({**spec, "seed": seed, "accuracy": plain[-1]["accuracy"][0]}), file=sys.stderr, flush=True)
    return {"seconds": float(np.mean(seconds)), "plain": over_seeds(plain)}


def elsewhere(spec: dict[str, Any], train: int, seeds: int) -> dict[str, Any]:
    """The figures of one kind on larger numbers, and on each category that it has not learned from."""
    far, apart, families = [], [], []
    for seed in range(seeds):
        parts = dealt(statements(seed, enough(train)), train)
        near, larger = by_size(seed, train)
        predictor = learned(spec, seed, near)
        far.append({**samples(predictor, larger, seed), "near": samples(predictor, near.test, seed)["accuracy"]})
        apart.append(told_apart(predictor, near.test, larger))
        families.append([family(spec, seed, parts, category) for category in CATEGORIES])
    return {
        "far": over_seeds(far),
        "far_apart": _means(apart),
        "families": {c: over_seeds([f[i][0] for f in families]) for i, c in enumerate(CATEGORIES)},
        "families_apart": {c: _means(f[i][1] for f in families) for i, c in enumerate(CATEGORIES)},
    }


def family(spec: dict[str, Any], seed: int, parts: Parts, category: str) -> tuple[dict[str, Array], dict[str, float]]:
    """What is made of a category that was left out of training and calibration, and whether doubt tells it."""
    known = parts.where(lambda rows: rows["group"] != category)
    other = parts.test[parts.test["group"] == category].reset_index(drop=True)
    predictor = learned(spec, seed, known)
    return samples(predictor, other, seed), told_apart(predictor, known.test, other)


def tables(found: dict[str, dict[str, Any]]) -> str:
    """The page's tables of which something was measured, in the order of SPECS."""
    kinds = {kind: found[kind] for kind in SPECS if kind in found}
    rows = [[[kind, *row(f)] for kind, f in kinds.items() if needs in f] for _, needs, _, row in TABLES]
    return "\n".join(
        _table(title, ["", *head], lines) for (title, _, head, _), lines in zip(TABLES, rows, strict=True) if lines
    )


def _plain(f: dict[str, Any]) -> list[str]:
    figures = [_shown(f["plain"][metric], 4) for metric in ("accuracy", "log_loss", "ece")]
    return [*figures, f"{f['seconds']:.1f}"]


def _by_category(f: dict[str, Any]) -> list[str]:
    return [_shown(f["plain"][category]) for category in CATEGORIES]


def _larger(f: dict[str, Any]) -> list[str]:
    apart = f["far_apart"]
    figures = [_shown(f["far"][metric]) for metric in ("near", "accuracy", "ece")]
    return [*figures, _aurocs(apart), f"{apart['flagged']:.1%}", f"{apart['flagged_usual']:.1%}"]


def _left_out(f: dict[str, Any]) -> list[str]:
    ece = np.mean([f["families"][category]["ece"][0] for category in CATEGORIES])
    return [*(_shown(f["families"][category]["accuracy"]) for category in CATEGORIES), f"{ece:.3f}"]


def _noticed(f: dict[str, Any]) -> list[str]:
    apart = [f["families_apart"][category] for category in CATEGORIES]
    shares = (np.mean([a[name] for a in apart]) for name in ("flagged", "flagged_usual"))
    return [*map(_aurocs, apart), *(f"{share:.1%}" for share in shares)]


GUARD = ["flagged", "of usual rows"]
SHORT = [c.removesuffix("_verification").removeprefix("number_") for c in CATEGORIES]
TABLES = [
    ("All four categories", "plain", ["accuracy", "log-loss", "ECE", "train CPU s"], _plain),
    ("Accuracy by category", "plain", SHORT, _by_category),
    (
        f"Trained on the smaller half of the numbers, asked about numbers up to {FARTHER} times larger",
        "far",
        ["usual numbers", "larger numbers", "ECE", "AUROC of doubt / disagreement", *GUARD],
        _larger,
    ),
    ("Accuracy on one category after training on the other three", "families", [*SHORT, "ECE"], _left_out),
    ("AUROC of doubt / disagreement for telling that category from usual rows", "families", [*SHORT, *GUARD], _noticed),
]


def _means(figures: Iterable[dict[str, float]]) -> dict[str, float]:
    return {str(name): float(mean) for name, mean in pd.DataFrame(list(figures)).mean().items()}


def _aurocs(apart: dict[str, float]) -> str:
    return " / ".join("–" if np.isnan(apart[name]) else f"{apart[name]:.2f}" for name in ("auroc", "disagreement"))


def _shown(interval: Interval, digits: int = 3) -> str:
    value, low, high = (f"{x:.{digits}f}".lstrip("0") for x in interval)
    return f"{value} ({low}–{high})"


def _table(title: str, head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---", *["--:"] * (len(head) - 1)], *rows]
    return "\n".join([f"{title}:\n", *(f"| {' | '.join(line)} |" for line in lines)]) + "\n"


def main() -> None:
    """Print the tables, or write them into the page."""
    there = [name for name, spec in SPECS.items() if spec["kind"] in available_kinds("models")]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kinds", nargs="*", default=there, choices=list(SPECS), metavar="KIND")
    parser.add_argument("--rows", type=int, default=ROWS, help="to learn from")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--largest", type=float, default=inf, help="number in the statements of the first two tables")
    parser.add_argument("--elsewhere", type=int, default=1, help="seeds of the tables on rows from elsewhere, or 0")
    parser.add_argument("--figures", type=Path, help="JSON of earlier runs, to read and to add to")
    parser.add_argument("--write", type=Path, const=PAGE, nargs="?", help="put the tables into this page")
    args = parser.parse_args()
    found = json.loads(args.figures.read_text()) if args.figures and args.figures.exists() else {}
    torch.set_num_threads(1)
    for kind in args.kinds:
        with threadpool_limits(1):
            found.setdefault(kind, {}).update(measured(SPECS[kind], args.rows, args.seeds, args.largest))
            found[kind].update(elsewhere(SPECS[kind], args.rows, args.elsewhere) if args.elsewhere else {})
        if args.figures:
            args.figures.write_text(json.dumps(found))
    shown = tables(found)
    if args.write:
        before, _, rest = args.write.read_text().partition(BEGIN)
        args.write.write_text(f"{before}{BEGIN}{shown}{END}{rest.partition(END)[2]}")
    print(shown)


if __name__ == "__main__":
    main()

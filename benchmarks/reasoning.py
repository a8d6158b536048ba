"""Statements of arithmetic, true or false: what each kind of model makes of them, of larger numbers, of a new family.

    python -m benchmarks.reasoning [--kinds tfidf relations] [--rows 8000] [--seeds 3] [--figures FILE] [--write]

Statements come from the offline provider's generator; every seed deals others. All models see the same rows. With a
file for figures a table can be made in parts: kinds that were measured before are read from it.
"""

import argparse
import json
import os
import re
import sys
from collections.abc import Callable, Iterator
from itertools import chain, count, pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from sklearn.metrics import roc_auc_score
from threadpoolctl import threadpool_limits

from credence.arithmetic import CATEGORIES, propose
from credence.bootstrap import weights
from credence.calibration import Calibration
from credence.kinds import ModelSpec, names
from credence.metrics import METRICS
from credence.predictor import Predictor
from credence.rows import Columns, canonical, inputs
from credence.uncertainty import split

OFF = {"mdl": False, "evidence": False, "debias": False}
SPECS: dict[str, dict[str, Any]] = {
    "tfidf": {"kind": "tfidf"},
    "bilstm": {"kind": "bilstm"},
    "bilstm, 6 epochs": {"kind": "bilstm", "epochs": 6},
    "transformer, digits": {"kind": "bayesian_transformer", "relations": False, "fone": False, **OFF},
    "transformer, numbers": {"kind": "bayesian_transformer", "relations": False, **OFF},
    "transformer, relations": {"kind": "bayesian_transformer", **OFF},
    "bayesian_transformer": {"kind": "bayesian_transformer"},
    "relations": {"kind": "relations"},
    "hierarchical": {"kind": "hierarchical"},
}
ROWS, CALIBRATION, TEST = 8000, 1 / 8, 1 / 4
FARTHER = 12
RESAMPLES = 1000
PAGE, BEGIN, END = Path("docs/reasoning_benchmarks.md"), "<!-- figures -->\n", "<!-- end of figures -->"
SHORT = {"math_verification": "math", "number_property": "property"}
Array = np.ndarray[Any, np.dtype[np.float64]]
Interval = list[float]
COLUMNS = Columns(label="answer", positive="1", text="question", group="category")


class Parts(NamedTuple):
    """Rows to learn from, to calibrate on, and to be judged by."""

    train: pd.DataFrame
    calibration: pd.DataFrame
    test: pd.DataFrame

    def where(self, keep: Callable[[pd.DataFrame], pd.Series]) -> "Parts":
        """The same parts with the rows to be kept."""
        return Parts(*(part[keep(part)].reset_index(drop=True) for part in self))


def cell(seed: int, category: str, label: bool) -> Iterator[dict[str, Any]]:
    """Statements of one category and truth, no two alike, without end."""
    seen: set[str] = set()
    for ordinal in count():
        attempt = 0
        while (item := propose(seed, category, label, ordinal, attempt)).question in seen:
            attempt += 1
        seen.add(item.question)
        yield {"question": item.question, "category": category, "answer": int(label)}


def statements(seed: int, rows: int) -> pd.DataFrame:
    """As many of every category and truth, in random order, as canonical rows."""
    cells = [cell(seed, category, label) for category in CATEGORIES for label in (True, False)]
    raw = pd.DataFrame([next(of) for _ in range(rows // len(cells)) for of in cells])
    return canonical(raw, COLUMNS).sample(frac=1, random_state=seed).reset_index(drop=True)


def dealt(rows: pd.DataFrame, train: int) -> Parts:
    """Parts with the same share of every category and truth."""
    sizes = [train, round(train * CALIBRATION), round(train * TEST)]
    place = rows.groupby(["group", "label"]).cumcount() * len(CATEGORIES) * 2
    ends = np.cumsum([0, *sizes])
    pieces = [rows[(place >= low) & (place < high)] for low, high in pairwise(ends)]
    return Parts(*(piece.reset_index(drop=True) for piece in pieces))


def by_size(seed: int, train: int) -> tuple[Parts, pd.DataFrame]:
    """Parts with the smaller half of the numbers of every form of statement, and rows with up to 12 times larger ones.

    A form is the text with all digits masked; its limit is the median over its statements of their largest number.
    """
    rows = statements(seed, round(train * (1 + CALIBRATION + TEST) * 2.4))
    form = rows["text"].map(lambda text: re.sub("[0-9]+", "#", text))
    largest = rows["text"].map(lambda text: max(map(float, re.findall(r"[0-9]+(?:\.[0-9]+)?", text))))
    times = largest / largest.groupby(form).transform("median")
    far = rows[(times > 1) & (times <= FARTHER)].reset_index(drop=True)
    return dealt(rows[times <= 1], train), far.head(round(train * TEST))


def learned(spec: dict[str, Any], seed: int, parts: Parts) -> Predictor:
    """A calibrated predictor."""
    model = ModelSpec(**spec, seed=seed).build()
    model.fit(inputs(parts.train), parts.train["label"].to_numpy())
    about = {"task": "reasoning", "question": "Is this statement true?", "answers": ("no", "yes"), "group": "category"}
    return Predictor.calibrate(model, parts.train, parts.calibration, Calibration(), about)


def told_apart(predictor: Predictor, usual: pd.DataFrame, other: pd.DataFrame) -> dict[str, float]:
    """How well doubt tells other rows from usual ones (AUROC, total and disagreement), and what the guard flags."""
    doubts = [split(predictor.draws(rows))[:2] for rows in (usual, other)]
    is_other = np.repeat([0, 1], [len(usual), len(other)])
    total, disagreement = (np.concatenate([doubt[i] for doubt in doubts]) for i in (0, 1))
    flagged = [np.mean([bool(why) for why in predictor.facts.schema_.reasons(inputs(rows))]) for rows in (usual, other)]
    return {
        "auroc": float(roc_auc_score(is_other, total)),
        "disagreement": float("nan") if np.isnan(disagreement).any() else float(roc_auc_score(is_other, disagreement)),
        "flagged": float(flagged[1]),
        "flagged_usual": float(flagged[0]),
    }


def samples(predictor: Predictor, rows: pd.DataFrame, seed: int) -> dict[str, Array]:
    """Each metric on these rows, then on resamples of them, shape (1 + RESAMPLES,)."""
    y, p = rows["label"].to_numpy(), predictor.draws(rows).mean(0)
    w = np.vstack([np.ones((1, len(rows))), weights(None, len(rows), RESAMPLES, seed)])
    yes = p >= predictor.facts.threshold
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


def measured(spec: dict[str, Any], train: int, seeds: int) -> dict[str, Any]:
    """All figures of one kind."""
    plain, far, apart, families, seconds = [], [], [], [], []
    for seed in range(seeds):
        parts, before = dealt(statements(seed, round(train * (1 + CALIBRATION + TEST))), train), sum(os.times()[:4])
        predictor = learned(spec, seed, parts)
        seconds.append(sum(os.times()[:4]) - before)
        plain.append(samples(predictor, parts.test, seed))
        near, larger = by_size(seed, train)
        predictor = learned(spec, seed, near)
        far.append({**samples(predictor, larger, seed), "near": samples(predictor, near.test, seed)["accuracy"]})
        apart.append(told_apart(predictor, near.test, larger))
        families.append([family(spec, seed, parts, category) for category in CATEGORIES])
        print(json.dumps({**spec, "seed": seed, "accuracy": plain[-1]["accuracy"][0]}), file=sys.stderr, flush=True)
    return {
        "seconds": float(np.mean(seconds)), "plain": over_seeds(plain), "far": over_seeds(far),
        "far_apart": pd.DataFrame(apart).mean().to_dict(),
        "families": {c: over_seeds([f[i][0] for f in families]) for i, c in enumerate(CATEGORIES)},
        "families_apart": pd.DataFrame([f[1] for f in chain(*families)]).mean().to_dict(),
    }  # fmt: skip


def family(spec: dict[str, Any], seed: int, parts: Parts, category: str) -> tuple[dict[str, Array], dict[str, float]]:
    """What is made of a category that was left out of training and calibration, and whether doubt tells it."""
    known = parts.where(lambda rows: rows["group"] != category)
    other = parts.test[parts.test["group"] == category].reset_index(drop=True)
    predictor = learned(spec, seed, known)
    return samples(predictor, other, seed), told_apart(predictor, known.test, other)


def tables(found: dict[str, dict[str, Any]]) -> str:
    """The page's tables, in the order of SPECS."""
    kinds = {kind: found[kind] for kind in SPECS if kind in found}
    heads = [SHORT.get(c, c) for c in CATEGORIES]
    plain = [
        [k, *(_shown(f["plain"][m], 4) for m in ("accuracy", "log_loss", "ece")), f"{f['seconds']:.1f}"]
        for k, f in kinds.items()
    ]
    parts = [[k, *(_shown(f["plain"][c]) for c in CATEGORIES)] for k, f in kinds.items()]
    far = [
        [k, _shown(f["far"]["near"]), *(_shown(f["far"][m]) for m in ("accuracy", "ece")), *_apart(f["far_apart"])]
        for k, f in kinds.items()
    ]
    new = [
        [k, *(_shown(f["families"][c]["accuracy"]) for c in CATEGORIES), _mean_ece(f), *_apart(f["families_apart"])]
        for k, f in kinds.items()
    ]
    doubt = ["AUROC of doubt", "of disagreement", "flagged", "of usual rows"]
    return "\n".join([
        _table(["", "accuracy", "log-loss", "ECE", "train CPU s"], plain),
        "Accuracy by category:\n", _table(["", *heads], parts),
        f"Trained on the smaller half of the numbers, asked about numbers up to {FARTHER} times larger:\n",
        _table(["", "usual numbers", "larger numbers", "ECE", *doubt], far),
        "Trained on three categories, accuracy on the fourth:\n", _table(["", *heads, "ECE", *doubt], new),
    ])  # fmt: skip


def _shown(interval: Interval, digits: int = 3) -> str:
    value, low, high = (f"{x:.{digits}f}".lstrip("0") for x in interval)
    return f"{value} ({low}–{high})"


def _apart(f: dict[str, float]) -> list[str]:
    told = [f"{f[name]:.2f}" if f[name] == f[name] else "–" for name in ("auroc", "disagreement")]
    return [*told, *(f"{f[name]:.1%}" for name in ("flagged", "flagged_usual"))]


def _mean_ece(f: dict[str, Any]) -> str:
    return f"{np.mean([f['families'][c]['ece'][0] for c in CATEGORIES]):.3f}"


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---", *["--:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def main() -> None:
    """Print the tables, or write them into the page."""
    there = [name for name, spec in SPECS.items() if spec["kind"] in names("models")]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kinds", nargs="*", default=there, choices=list(SPECS), metavar="KIND")
    parser.add_argument("--rows", type=int, default=ROWS, help="to learn from")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--figures", type=Path, help="JSON of earlier runs, to read and to add to")
    parser.add_argument("--write", type=Path, const=PAGE, nargs="?", help="put the tables into this page")
    args = parser.parse_args()
    found = json.loads(args.figures.read_text()) if args.figures and args.figures.exists() else {}
    torch.set_num_threads(1)
    for kind in args.kinds:
        with threadpool_limits(1):
            found[kind] = measured(SPECS[kind], args.rows, args.seeds)
        if args.figures:
            args.figures.write_text(json.dumps(found))
    shown = tables(found)
    if args.write:
        before, _, rest = args.write.read_text().partition(BEGIN)
        args.write.write_text(f"{before}{BEGIN}{shown}{END}{rest.partition(END)[2]}")
    print(shown)


if __name__ == "__main__":
    main()

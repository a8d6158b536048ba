"""How often monitoring cries wolf, and which shifts it finds: `python -m benchmarks.drift_rates`."""

import argparse
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

from credence.core.registry import ModelSpec
from credence.data.rows import Columns, model_inputs, to_canonical_rows
from credence.data.schema import Schema
from credence.predictor import Predictor, TaskInfo
from credence.production.answer_records import build_records
from credence.production.monitoring import FOR_SEQUENCE, Monitoring
from credence.production.monitoring.column_statistics import ColumnStatistic
from credence.production.monitoring.martingale import MartingaleMemory, update_martingale
from credence.production.monitoring.performance import ScoredRows, performance_loss
from credence.production.monitoring.run import monitor_window
from credence.production.monitoring.summary import MonitoringSummary
from credence.statistics.calibration import Calibration
from credence.statistics.uncertainty import sigmoid

COLUMNS, REFERENCE, ROWS, TEST = 30, 1000, 500, 300
START = pd.Timestamp("2025-01-01", tz="UTC")
Rng = np.random.Generator
Draw = Callable[[Rng, int], pd.DataFrame]
Change = Callable[[Rng, pd.DataFrame], pd.DataFrame]
MIXED = "counts, categories, gaps"
ALPHA = FOR_SEQUENCE * 0.05
MARKS = "<!-- figures -->", "<!-- end of figures -->"


def _named(values: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame(values, columns=[f"c{i}" for i in range(values.shape[1])])


def gaussian(rng: Rng, n: int) -> pd.DataFrame:
    """Independent normal columns."""
    return _named(rng.standard_normal((n, COLUMNS)))


def correlated(rng: Rng, n: int) -> pd.DataFrame:
    """Normal columns of which any two correlate by 0.8."""
    common = rng.standard_normal((n, 1))
    return _named(np.sqrt(0.8) * common + np.sqrt(0.2) * rng.standard_normal((n, COLUMNS)))


def heavy(rng: Rng, n: int) -> pd.DataFrame:
    """Columns without a variance: Student's t with two degrees of freedom."""
    return _named(rng.standard_t(2, (n, COLUMNS)))


def discrete(rng: Rng, n: int) -> pd.DataFrame:
    """A third counts, a third categories with a rare one, a third numbers of which one in ten is missing."""
    third = COLUMNS // 3
    counts = _named(rng.poisson(np.linspace(0.2, 8, third), (n, third)).astype(float))
    words = rng.choice(["red", "green", "blue", "white", "rare"], (n, third), p=[0.4, 0.3, 0.2, 0.095, 0.005])
    gaps = np.where(rng.random((n, third)) < 0.1, np.nan, rng.standard_normal((n, third)))
    parts = [counts, _named(words).add_prefix("w"), _named(gaps).add_prefix("g")]
    return pd.concat(parts, axis=1)


def few_kinds(rng: Rng, n: int) -> pd.DataFrame:
    """Three columns of yes and no: rows repeat by nature."""
    return _named((rng.random((n, 3)) < [0.5, 0.3, 0.1]).astype(float)).astype(str)


def repeated(rng: Rng, n: int) -> pd.DataFrame:
    """Rows drawn with replacement from a third as many."""
    pool = gaussian(rng, max(n // 3, 1))
    return pool.iloc[rng.integers(0, len(pool), n)].reset_index(drop=True)


@dataclass(frozen=True)
class World:
    """Where reference and window come from; nothing changes between them."""

    reference: Draw
    window: Draw


WORLDS = {
    "normal": World(gaussian, gaussian),
    "correlated": World(correlated, correlated),
    "heavy tails": World(heavy, heavy),
    MIXED: World(discrete, discrete),
    "rows that repeat by nature": World(few_kinds, few_kinds),
    "window of repeated rows": World(gaussian, repeated),
}


@cache
def trained(draw: Draw) -> Predictor:
    """A predictor of that world; its model is the same for all windows, its reference is not."""
    rng = np.random.default_rng(0)
    table = draw(rng, 1000)
    numbers = table.select_dtypes("number").fillna(0.0)
    odds = numbers.iloc[:, 0].to_numpy() if len(numbers.columns) else np.where(table.iloc[:, 0] == "1.0", 1.0, -1.0)
    rows = to_canonical_rows(table.assign(y=rng.random(1000) < sigmoid(odds)), Columns(label="y", positive=True))
    train, calibration = rows[:700].reset_index(drop=True), rows[700:].reset_index(drop=True)
    model = ModelSpec(kind="logistic", folds=1).build().fit(model_inputs(train), train["label"].to_numpy())
    about = TaskInfo(task="simulated", question="Is it so?", answers=("no", "yes"))
    return Predictor.calibrate(model, train, calibration, Calibration(), about).with_version("1")


def fresh(world: World, rng: Rng) -> tuple[Predictor, ScoredRows]:
    """The world's predictor with a reference and test rows of its own."""
    like, reference = trained(world.reference), world.reference(rng, REFERENCE).assign(group="all")
    info = like.info.model_copy(update={"schema_": Schema.learn(reference)})
    predictor = Predictor(like.model, info, reference, like.seen)
    p = predictor.predict(world.reference(rng, TEST).assign(group="all"))["probability"].to_numpy()
    return predictor, ScoredRows(p, p >= info.threshold, (rng.random(TEST) < p).astype(np.int64))


def log_of(predictor: Predictor, rows: pd.DataFrame, start: pd.Timestamp = START) -> pd.DataFrame:
    """The log's records of these rows, one a second, no truth known."""
    rows = rows.assign(group="all")
    made = pd.DataFrame(build_records("r", rows, predictor.predict(rows), predictor.info))
    return made.assign(time=start + pd.to_timedelta(np.arange(len(rows)), unit="s"), truth=np.nan)


def health(world: World, rng: Rng, change: Change = lambda rng, rows: rows) -> MonitoringSummary:
    """What monitoring says of one window, changed in some way."""
    predictor, test = fresh(world, rng)
    return monitor_window(predictor, log_of(predictor, change(rng, world.window(rng, ROWS))), Monitoring(), test=test)


def evidently_alarms(world: World, rng: Rng) -> tuple[bool, bool]:
    """Evidently's default preset on such a window: is any column called drifted, is the data set?"""
    from evidently import DataDefinition, Dataset, Report
    from evidently.presets import DataDriftPreset

    tables = [world.window(rng, ROWS), world.reference(rng, REFERENCE)]
    found = Report([DataDriftPreset()]).run(*(Dataset.from_pandas(t, DataDefinition()) for t in tables)).dict()
    count = next(m["value"] for m in found["metrics"] if m["metric_name"].startswith("DriftedColumnsCount"))
    return count["count"] > 0, count["share"] >= 0.5


def moved(amount: float) -> Change:
    """Two number columns shifted."""
    return lambda rng, rows: rows.assign(c3=rows["c3"] + amount, c7=rows["c7"] + amount)


def recoloured(share: float) -> Change:
    """So many more of a column's rows are of its commonest category."""
    return lambda rng, rows: rows.assign(wc3=rows["wc3"].mask(rng.random(len(rows)) < share / 0.6, "red"))


def emptied(share: float) -> Change:
    """So many more of a column's rows are empty."""
    return lambda rng, rows: rows.assign(gc3=rows["gc3"].mask(rng.random(len(rows)) < share / 0.9))


SHIFTS: list[tuple[str, str, Change, set[str]]] = [
    *((f"2 of 30 columns moved by {s} standard deviations", "normal", moved(s), {"c3", "c7"}) for s in (0.2, 0.3, 0.5)),
    *(
        (f"1 of 30: a category from 40 % to {40 + 100 * s:.0f} %", MIXED, recoloured(s), {"wc3"})
        for s in (0.1, 0.15, 0.2)
    ),
    *(
        (f"1 of 30: empty cells from 10 % to {10 + 100 * s:.0f} %", MIXED, emptied(s), {"gc3"})
        for s in (0.1, 0.15, 0.2)
    ),
]


def quiet_rates(windows: int, compared: int) -> Iterable[str]:
    """Markdown: of windows in which nothing changed, the share that is not quiet; of the first few, what Evidently
    calls drifted."""
    yield "| window of 500 rows, 30 columns | windows | watch | drift | Evidently: a column | Evidently: the data set |"
    yield "|---|--:|--:|--:|--:|--:|"
    for name, world in WORLDS.items():
        rng = np.random.default_rng(1)
        states = [health(world, rng).verdict for _ in range(windows)]
        theirs = np.array([evidently_alarms(world, rng) for _ in range(compared)], float).reshape(-1, 2)
        shares = [states.count("watch") / windows, states.count("drift") / windows, *theirs.mean(0)]
        yield f"| {name} | {windows} | " + " | ".join(f"{100 * s:.1f} %" for s in shares) + " |"


def power(windows: int) -> Iterable[str]:
    """Markdown: of windows with a shift, the share with the verdict drift, and with all shifted columns named."""
    yield "| shift in a window of 500 rows | drift | every shifted column named | no other named |"
    yield "|---|--:|--:|--:|"
    for title, world, change, columns in SHIFTS:
        rng = np.random.default_rng(2)
        found = [health(WORLDS[world], rng, change) for _ in range(windows)]
        named = [set(h.drift.drifted()) for h in found]
        shares = ([h.verdict == "drift" for h in found], [columns <= n for n in named], [n <= columns for n in named])
        yield f"| {title} | " + " | ".join(f"{100 * np.mean(s):.0f} %" for s in shares) + " |"


def stream(rng: Rng, windows: int, columns: int, change_at: int | None = None, shift: float = 0.3) -> int | None:
    """The window, counted from 1, in which the bet over a long stream gives its first alarm; one column moves."""
    reference, memory = rng.standard_normal((REFERENCE, columns)), MartingaleMemory(version="1")
    for k in range(windows):
        now = rng.standard_normal((ROWS, columns))
        now[:, 0] += shift if change_at is not None and k >= change_at else 0.0
        found = [
            ColumnStatistic(f"c{i}", "values", "number", pd.Series(reference[:, i]), pd.Series(now[:, i]))
            for i in range(columns)
        ]
        times = pd.Series(START + pd.to_timedelta(np.arange(k * ROWS, (k + 1) * ROWS), unit="s"))
        keys = np.arange(k * ROWS, (k + 1) * ROWS, dtype=np.uint64)
        said = update_martingale(found, keys, np.ones(ROWS, bool), times, 1.0, ALPHA, memory)
        if said.alarm:
            return k + 1
        memory = said.memory
    return None


def sequence(streams: int, windows: int) -> Iterable[str]:
    """Markdown: false alarms of the bet over long streams, and how soon it finds a shift after a quiet time."""
    yield "| stream | alarms | windows until the alarm, median |"
    yield "|---|--:|--:|"
    rng = np.random.default_rng(3)
    quiet = [stream(rng, windows, 5) is not None for _ in range(streams)]
    yield f"| {windows} windows of 500 rows, nothing changes | {100 * np.mean(quiet):.1f} % | |"
    for shift in (0.1, 0.2, 0.3):
        found = [stream(rng, 60, 5, 10, shift) for _ in range(max(streams // 10, 1))]
        late = [k - 10 for k in found if k is not None]
        share, delay = 100 * len(late) / len(found), f"{np.median(late):.0f}" if late else ""
        yield f"| one of 5 columns moves by {shift} after 10 windows | {share:.0f} % | {delay} |"


def answered(rng: Rng, rows: int, right: float) -> ScoredRows:
    """Answers of which a share is right, with probabilities that say so."""
    y = rng.random(rows) < 0.4
    yes = np.where(rng.random(rows) < right, y, ~y)
    return ScoredRows(np.where(yes, right, 1 - right), yes, y.astype(np.int64))


def losses(windows: int) -> Iterable[str]:
    """Markdown: how often a loss of accuracy is called sure, by the true loss; the test rows are 300, 95 % right."""
    truths = (0.0, 0.05, 0.1, 0.2)
    yield "| labelled rows | " + " | ".join(f"{100 * t:.0f} points worse" if t else "no worse" for t in truths) + " |"
    yield "|--:|" + "--:|" * len(truths)
    for rows in (50, 200, 1000):
        rng = np.random.default_rng(4)
        sides = [[(answered(rng, rows, 0.95 - t), answered(rng, TEST, 0.95)) for _ in range(windows)] for t in truths]
        rates = [np.mean([(performance_loss(*s, "accuracy", ALPHA).low or 0) > 0 for s in many]) for many in sides]
        yield f"| {rows} | " + " | ".join(f"{100 * r:.1f} %" for r in rates) + " |"


def main() -> None:
    """Print all tables, or write them into a page between its marks."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--windows", type=int, default=200)
    parser.add_argument("--streams", type=int, default=200)
    parser.add_argument("--write", type=Path, help="the page whose figures are replaced")
    given = parser.parse_args()
    half, lines = max(given.windows // 2, 1), []
    tables = (
        quiet_rates(given.windows, max(given.windows // 4, 1)),
        power(half),
        sequence(given.streams, 50),
        losses(5 * half),
    )
    for table in tables:
        for line in [*table, ""]:
            print(line, flush=True)
            lines.append(line)
    if given.write:
        before, _, rest = given.write.read_text().partition(MARKS[0])
        given.write.write_text(f"{before}{MARKS[0]}\n\n" + "\n".join(lines) + MARKS[1] + rest.partition(MARKS[1])[2])


if __name__ == "__main__":
    main()

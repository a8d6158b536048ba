"""What sampling costs and how well it is calibrated: minutes of processor time, so run by `make test-slow`."""

import numpy as np
import pandas as pd
import pytest

from benchmarks.hierarchical import Simulated, apart, cost, covered
from credence.generation.arithmetic.propose import CATEGORIES, propose_statement
from credence.models.kinds.hierarchical import Hierarchical

pytestmark = pytest.mark.slow


def test_the_whole_job_converges_within_a_minute_of_processor_time() -> None:
    found, seconds = cost(0)
    figures = {d.name: d.value for d in found.diagnostics}
    assert figures["R-hat"] < 1.01
    assert figures["bulk ESS"] >= 800
    assert figures["divergences"] == 0
    assert seconds <= 60


def test_intervals_cover_what_they_say() -> None:
    for name, share in covered(100).items():
        assert 0.93 <= share <= 0.97, name


def test_numpyro_and_pyro_sample_the_same_posterior() -> None:
    assert max(apart(800).values()) < 0.1


def test_the_truth_is_simulated_by_the_model() -> None:
    rows = Simulated.draw(40_000, 1, 3)
    for code, weights in enumerate(rows.truth["B"]):
        of_group = rows.codes == code
        z = rows.Z[of_group] @ weights
        assert abs((1 / (1 + np.exp(-z)) - rows.y[of_group]).mean()) < 0.03


def reasoning(per_cell: int) -> tuple[pd.DataFrame, "np.ndarray[tuple[int], np.dtype[np.int64]]"]:
    """So many statements of each category and answer, none twice."""
    seen, kept = set(), []
    for category in CATEGORIES:
        for answer in (False, True):
            for ordinal in range(per_cell):
                tries = (propose_statement(7, category, answer, ordinal, attempt) for attempt in range(50))
                item = next(t for t in tries if t.question not in seen)
                seen.add(item.question)
                kept.append({"text": item.question, "group": category, "label": int(answer)})
    rows = pd.DataFrame(kept).sample(frac=1, random_state=0).reset_index(drop=True)
    return rows[["text", "group"]], rows["label"].to_numpy()


def test_statements_about_numbers_are_answered() -> None:
    X, y = reasoning(1250)
    model = Hierarchical(chains=2, warmup=150, samples=150).fit(X[:8000], y[:8000])
    right = (model.draws(X[8000:]).mean(0) > 0.5) == y[8000:]
    assert right.mean() >= 0.95
    assert all(right[X["group"][8000:] == category].mean() >= 0.95 for category in CATEGORIES)

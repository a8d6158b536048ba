"""The gate's memory of how often test rows have judged."""

import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from credence.evaluation.gate.verdict import TestSetUsage

ids = st.lists(st.integers(0, 30).map(str), min_size=1, max_size=30, unique=True).map(pd.Series)


def test_every_new_pair_on_the_same_rows_is_one_look_more() -> None:
    rows, looks = pd.Series(["a", "b", "c"]), TestSetUsage()
    for k in range(5):
        assert looks.before(rows, f"challenger {k}", "champion") == k
        looks = looks.after(rows, f"challenger {k}", "champion")


def test_the_same_pair_again_shows_nothing_new() -> None:
    rows = pd.Series(["a", "b"])
    looks = TestSetUsage().after(rows, "x", "y")
    assert looks.after(rows, "x", "y") == looks
    assert looks.before(rows, "x", "y") == 0
    assert looks.before(rows, "x", None) == 1


def test_fresh_rows_thin_the_count_and_a_new_part_forgets_it() -> None:
    looks = TestSetUsage().after(pd.Series(["a"]), "x", None).after(pd.Series(["a"]), "y", None)
    assert looks.before(pd.Series(["a"]), "z", None) == 2
    assert looks.before(pd.Series(["a", "b"]), "z", None) == 1
    assert looks.before(pd.Series(["b", "c"]), "z", None) == 0


@given(ids, ids)
def test_looks_never_exceed_the_pairs_compared(first: pd.Series, second: pd.Series) -> None:
    looks = TestSetUsage().after(first, "x", None).after(second, "y", None)
    assert 0 <= looks.before(first, "z", None) <= len(looks.pairs) == 2


@given(ids)
def test_the_memory_survives_json(rows: pd.Series) -> None:
    looks = TestSetUsage().after(rows, "x", "y")
    assert TestSetUsage.model_validate_json(looks.model_dump_json()) == looks

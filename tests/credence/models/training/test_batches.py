"""Batches: every row once, rows of like length together, padded no further than their longest."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from credence.models.training import PaddedRows
from credence.models.training.batches import batches_by_length, plan_batches, split_batch
from tests.support.training_cases import encoded, settings

ROWS = 2000
LENGTHS = np.random.default_rng(0).lognormal(3, 1, ROWS).astype(np.int64)


def padded(batches: list[list[int]]) -> int:
    """Cells of all batches, with those that hold nothing."""
    return sum(len(batch) * int(LENGTHS[batch].max()) for batch in batches)


@given(
    st.lists(st.integers(0, 30), min_size=1, max_size=200),
    st.integers(1, 9),
    st.none() | st.integers(1, 60),
    st.integers(1, 5),
)
@examples(max_examples=60)
def test_every_row_is_in_one_batch_within_its_bounds(lengths: list[int], rows: int, tokens: int, epoch: int) -> None:
    there = np.array(lengths)
    batches = plan_batches(there, settings(batch_rows=rows, batch_tokens=tokens), epoch)
    assert sorted(i for batch in batches for i in batch) == list(range(len(lengths)))
    for batch in batches:
        assert len(batch) <= rows
        assert tokens is None or len(batch) == 1 or len(batch) * there[batch].max() <= tokens


def test_little_of_a_batch_is_padding() -> None:
    batches = plan_batches(LENGTHS, settings(batch_rows=16), 1)
    anyhow = np.random.default_rng(1).permutation(ROWS).reshape(-1, 16).tolist()
    assert padded(batches) < 1.15 * LENGTHS.sum() < 0.6 * padded(anyhow)
    assert padded(anyhow) < 0.5 * ROWS * LENGTHS.max(), "the maximum of all rows is worse by far"
    assert len(batches) == ROWS // 16


def test_cells_bound_a_batch_where_rows_are_long() -> None:
    batches = plan_batches(LENGTHS, settings(batch_rows=64, batch_tokens=640), 1)
    sizes = {len(batch) for batch in batches}
    assert max(sizes) == 64 and min(sizes) <= 5
    assert all(len(b) == 1 or len(b) * LENGTHS[b].max() <= 640 for b in batches)


def test_the_order_follows_from_seed_and_epoch_alone() -> None:
    first = plan_batches(LENGTHS, settings(seed=3), 1)
    assert plan_batches(LENGTHS, settings(seed=3), 1) == first
    assert plan_batches(LENGTHS, settings(seed=3), 2) != first
    assert plan_batches(LENGTHS, settings(seed=4), 1) != first


def test_other_rows_meet_in_the_next_epoch_and_lengths_come_in_any_order() -> None:
    one, two = ({frozenset(b) for b in plan_batches(LENGTHS, settings(), epoch)} for epoch in (1, 2))
    assert len(one & two) < len(one) / 10
    means = [LENGTHS[batch].mean() for batch in plan_batches(LENGTHS, settings(), 1)]
    assert abs(np.corrcoef(means, np.arange(len(means)))[0, 1]) < 0.3


def test_held_out_rows_go_from_short_to_long() -> None:
    order = [i for batch in batches_by_length(LENGTHS, settings()) for i in batch]
    assert (np.diff(LENGTHS[order]) >= 0).all() and len(order) == ROWS


def test_shards_share_a_batch_evenly_and_may_be_empty() -> None:
    assert split_batch([5, 6, 7, 8, 9], 2) == [[5, 7, 9], [6, 8]]
    assert split_batch([5], 3) == [[5], [], []]


def test_a_batch_is_as_wide_as_its_longest_row() -> None:
    rows = PaddedRows(
        ["a", "b", "c"],
        {
            "tokens": [torch.tensor([1, 2]), torch.tensor([], dtype=torch.long), torch.tensor([3])],
            "numbers": [torch.ones(1, 2), torch.ones(3, 2), torch.ones(0, 2)],
            "label": torch.tensor([0.0, 1.0, 0.0]),
        },
    )
    batch = rows.batch([2, 0])
    assert batch.ids == ["c", "a"] and batch["label"].tolist() == [0.0, 0.0]
    assert batch["tokens"].tolist() == [[3, 0], [1, 2]]
    assert batch.mask("tokens").tolist() == [[True, False], [True, True]]
    assert batch["numbers"].shape == (2, 1, 2) and batch["numbers"].sum() == 2
    assert rows.lengths.tolist() == [3, 3, 1]


def test_rows_without_any_cell_still_have_an_axis() -> None:
    batch = PaddedRows(["a"], {"tokens": [torch.tensor([], dtype=torch.long)]}).batch([0])
    assert batch["tokens"].tolist() == [[0]] and batch.mask("tokens").tolist() == [[False]]
    assert PaddedRows(["a", "b"], {"relations": torch.ones(2, 3)}).lengths.tolist() == [0, 0]


def test_columns_and_ids_must_be_as_many() -> None:
    with pytest.raises(ValueError, match="'label' has 2 rows, and there are 1 ids"):
        PaddedRows(["a"], {"label": torch.zeros(2)})


def test_the_digest_tells_rows_from_others() -> None:
    rows = encoded(20)
    assert rows.digest() == encoded(20).digest()
    tokens = list(rows.columns["tokens"])
    longest = max(range(20), key=lambda i: len(tokens[i]))
    moved = [row[:-1] if i == longest else row for i, row in enumerate(tokens)]
    others = [
        PaddedRows([*rows.ids[:-1], "other"], rows.columns),
        PaddedRows(rows.ids, {**rows.columns, "label": 1 - torch.as_tensor(rows.columns["label"])}),
        PaddedRows(rows.ids, {**rows.columns, "tokens": moved}),
        PaddedRows(rows.ids, {"words": tokens, "label": rows.columns["label"]}),
    ]
    assert len({rows.digest(), *(other.digest() for other in others)}) == 5
    flat = torch.arange(4)
    cut = [PaddedRows(["a", "b"], {"tokens": list(flat.split(at))}).digest() for at in ([1, 3], [2, 2])]
    assert cut[0] != cut[1], "the same cells, cut elsewhere"

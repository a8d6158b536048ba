"""The orders in which exchangeable blocks of a row may stand, and the position ids that each order gives."""

from typing import Literal

import torch
from torch import Tensor

from credence.core.errors import InputError

PermutationMode = Literal["exact", "average", "off"]
Sampler = Literal["iid", "latin", "banded"]
PADDING_KEY = torch.iinfo(torch.int64).max // 4


def permuted_positions(
    mode: PermutationMode, position_ids: Tensor, segment_ids: Tensor, mask: Tensor, places: Tensor | None = None
) -> Tensor:
    """Position ids [K, B, L] of the K copies of a row, from position and segment ids int64 [B, L] and mask bool [B, L].

    Segments are -1 (fixed) or blocks 0..m-1. `exact` (K = 1): every block begins at 0, so no order exists. `average`:
    block j of row b takes place `places[k, b, j]`; all blocks together keep the positions they had. `off` (K = 1): as
    given. Only ids move, never vectors: attention would undo what moves with its position. Padding keeps its ids.
    """
    if mode == "off":
        return position_ids[None]
    blocks = mask & (segment_ids >= 0)
    if mode == "exact":
        return _restarted(position_ids, segment_ids.clamp(min=0), blocks)[None]
    if mode != "average" or places is None:
        raise InputError(
            f"mode {mode!r}: expected 'exact', 'off', or 'average' with places, as orders.draw gives them."
        )
    return torch.stack([_placed(position_ids, segment_ids.clamp(min=0), blocks, place) for place in places])


def sample_permutations(sampler: Sampler, blocks: Tensor, k: int, generator: torch.Generator, bands: int = 4) -> Tensor:
    """K orders of each row's blocks (int64 [B], how many): the place of every block, int64 [K, B, max blocks].

    `iid`: independent, uniform. `latin`: rows of random Latin squares: over m, 2m, … orders each block stands in each
    place equally often, and the mean of k < m orders has (m - k) / (m - 1) of the variance that independent ones leave,
    where places act one by one. `banded`: blocks are shuffled within `bands` stretches only, where the coarse order
    matters. Blocks beyond a row's own keep their place.
    """
    width = max(int(blocks.max()), 1)
    if sampler == "latin":
        return _latin(blocks, k, generator)
    if sampler not in ("iid", "banded"):
        raise InputError(f"sampler {sampler!r}: expected 'iid', 'latin' or 'banded'.")
    number = torch.arange(width)
    stretch = number * bands // blocks[:, None].clamp(min=1) if sampler == "banded" else torch.zeros(1, 1)
    return _shuffled(torch.rand(k, len(blocks), width, generator=generator) + stretch, blocks)


def sample_permutations_deterministic(sampler: Sampler, blocks: Tensor, k: int, seed: int, bands: int = 4) -> Tensor:
    """Sample permutations from the seed and a row's own number of blocks, so that a row's batch does not matter."""
    places = torch.arange(max(int(blocks.max()), 1)).repeat(k, len(blocks), 1)
    for m in sorted(set(blocks.tolist())):
        generator = torch.Generator().manual_seed((seed * 1_000_003 + m) % 2**63)
        places[:, blocks == m, : max(m, 1)] = sample_permutations(sampler, torch.tensor([m]), k, generator, bands)
    return places


def merge_copies(values: Tensor, k: int) -> Tensor:
    """k copies of a batch [B, …] as one batch [k B, …]."""
    return values.expand(k, *values.shape).flatten(0, 1)


def split_copies(values: Tensor, k: int) -> Tensor:
    """The copies apart again, [k, B, …] of [k B, …]."""
    return values.view(k, -1, *values.shape[1:])


def _restarted(position_ids: Tensor, segments: Tensor, blocks: Tensor) -> Tensor:
    first = torch.full((len(segments), int(segments.max()) + 1), PADDING_KEY, device=segments.device)
    first = first.scatter_reduce(1, segments, torch.where(blocks, position_ids, PADDING_KEY), "amin")
    return torch.where(blocks, position_ids - first.gather(1, segments), position_ids)


def _placed(position_ids: Tensor, segments: Tensor, blocks: Tensor, place: Tensor) -> Tensor:
    """The blocks' own positions, dealt out anew: first to the block in place 0, in its order within, and so on."""
    step = int(position_ids.max()) + 1
    keys = torch.where(blocks, place.to(segments.device).gather(1, segments) * step + position_ids, PADDING_KEY)
    rank = keys.argsort(dim=1, stable=True).argsort(1)
    slots = torch.where(blocks, position_ids, PADDING_KEY).sort(1).values
    return torch.where(blocks, slots.gather(1, rank), position_ids)


def _shuffled(keys: Tensor, blocks: Tensor) -> Tensor:
    """The rank of each block among the keys [K, B, m], blocks beyond a row's own behind the others, as they were."""
    number = torch.arange(keys.shape[-1])
    keys = torch.where(number < blocks[:, None], keys, PADDING_KEY + number * 0.0)
    return keys.argsort(dim=-1, stable=True).argsort(-1)


def _latin(blocks: Tensor, k: int, generator: torch.Generator) -> Tensor:
    """Rows of random Latin squares: cyclic shifts with shuffled blocks and shuffled places; another after m rows."""
    i, m, number = torch.arange(k)[:, None, None], blocks.clamp(min=1)[:, None], torch.arange(max(int(blocks.max()), 1))
    square = (i // m).expand(k, len(blocks), len(number))
    block, place = (
        _shuffled(torch.rand(square.shape, generator=generator), blocks).gather(0, square) for _ in range(2)
    )
    return torch.where(number < m, place.gather(2, (block + i) % m), number)

"""Permutations of the exchangeable blocks of a row, and the position ids of each permutation."""

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
    """Return the position ids of K permuted copies of each row.

    Only ids are permuted, never vectors: attention is equivariant to tokens that move with their positions. Padding
    keeps its ids.

    Args:
        mode: `exact` (K = 1) starts every block at 0, so that blocks have no order. `average` gives block j of row b
            the place `places[k, b, j]`; all blocks together keep their positions. `off` (K = 1) changes nothing.
        position_ids: int64 [B, L].
        segment_ids: Block of each token, 0 to m - 1, or -1 for a fixed token, int64 [B, L].
        mask: True for real tokens, bool [B, L].
        places: Place of each block, int64 [K, B, m]; for `average` only.

    Returns:
        Position ids, int64 [K, B, L].

    Raises:
        InputError: The mode is unknown, or `average` lacks places.
    """
    if mode == "off":
        return position_ids[None]
    blocks = mask & (segment_ids >= 0)
    if mode == "exact":
        return _restarted(position_ids, segment_ids.clamp(min=0), blocks)[None]
    if mode != "average" or places is None:
        raise InputError(
            f"mode {mode!r}: expected 'exact', 'off', or 'average' with places, as sample_permutations gives them."
        )
    return torch.stack([_placed(position_ids, segment_ids.clamp(min=0), blocks, place) for place in places])


def sample_permutations(sampler: Sampler, blocks: Tensor, k: int, generator: torch.Generator, bands: int = 4) -> Tensor:
    """Sample k permutations of each row's blocks.

    Args:
        sampler: `iid` is independent and uniform. `latin` takes rows of random Latin squares: over m permutations each
            block has each place once, and the mean over k < m has (m - k) / (m - 1) of the variance of `iid` if places
            act additively. `banded` shuffles only within bands, to keep the coarse order.
        blocks: Number of blocks per row, int64 [B].
        k: Number of permutations.
        generator: Source of random numbers.
        bands: Number of bands, for `banded`.

    Returns:
        Place of each block, int64 [k, B, max blocks]; blocks beyond a row's own keep their place.

    Raises:
        InputError: The sampler is unknown.
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
    """Sample permutations that depend only on the seed and a row's number of blocks, not on its batch.

    Args:
        sampler: As in `sample_permutations`.
        blocks: Number of blocks per row, int64 [B].
        k: Number of permutations.
        seed: Seed.
        bands: Number of bands, for `banded`.

    Returns:
        Place of each block, int64 [k, B, max blocks].
    """
    places = torch.arange(max(int(blocks.max()), 1)).repeat(k, len(blocks), 1)
    for m in sorted(set(blocks.tolist())):
        generator = torch.Generator().manual_seed((seed * 1_000_003 + m) % 2**63)
        places[:, blocks == m, : max(m, 1)] = sample_permutations(sampler, torch.tensor([m]), k, generator, bands)
    return places


def merge_copies(values: Tensor, k: int) -> Tensor:
    """Repeat a batch [B, …] k times as one batch [k B, …]."""
    return values.expand(k, *values.shape).flatten(0, 1)


def split_copies(values: Tensor, k: int) -> Tensor:
    """Split a merged batch [k B, …] into copies [k, B, …]."""
    return values.view(k, -1, *values.shape[1:])


def _restarted(position_ids: Tensor, segments: Tensor, blocks: Tensor) -> Tensor:
    first = torch.full((len(segments), int(segments.max()) + 1), PADDING_KEY, device=segments.device)
    first = first.scatter_reduce(1, segments, torch.where(blocks, position_ids, PADDING_KEY), "amin")
    return torch.where(blocks, position_ids - first.gather(1, segments), position_ids)


def _placed(position_ids: Tensor, segments: Tensor, blocks: Tensor, place: Tensor) -> Tensor:
    """Reassign the positions of all blocks: first to the block in place 0, in its own order, then to the next."""
    step = int(position_ids.max()) + 1
    keys = torch.where(blocks, place.to(segments.device).gather(1, segments) * step + position_ids, PADDING_KEY)
    rank = keys.argsort(dim=1, stable=True).argsort(1)
    slots = torch.where(blocks, position_ids, PADDING_KEY).sort(1).values
    return torch.where(blocks, slots.gather(1, rank), position_ids)


def _shuffled(keys: Tensor, blocks: Tensor) -> Tensor:
    """Rank blocks by random key [K, B, m]; blocks beyond a row's own keep their order at the end."""
    number = torch.arange(keys.shape[-1])
    keys = torch.where(number < blocks[:, None], keys, PADDING_KEY + number * 0.0)
    return keys.argsort(dim=-1, stable=True).argsort(-1)


def _latin(blocks: Tensor, k: int, generator: torch.Generator) -> Tensor:
    """Sample rows of random Latin squares: cyclic shifts with shuffled blocks and places; a new square every m rows."""
    i, m, number = torch.arange(k)[:, None, None], blocks.clamp(min=1)[:, None], torch.arange(max(int(blocks.max()), 1))
    square = (i // m).expand(k, len(blocks), len(number))
    block, place = (
        _shuffled(torch.rand(square.shape, generator=generator), blocks).gather(0, square) for _ in range(2)
    )
    return torch.where(number < m, place.gather(2, (block + i) % m), number)

"""Orders are real, cost one pass each, leak nothing; averaging them shrinks the spread as k^-1/2, a set has none."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F

from credence.core.errors import InputError
from credence.models.expectation.permutation_statistics import PermutationStatistics, jensen_gap, martingale_gap
from credence.models.expectation.permutations import (
    PermutationMode,
    Sampler,
    merge_copies,
    permuted_positions,
    sample_permutations,
    sample_permutations_deterministic,
    split_copies,
)
from credence.models.transformer.encoder import BlockAttention

torch.set_num_threads(1)
SAMPLERS: list[Sampler] = ["iid", "latin", "banded"]
COUNTS = st.lists(st.integers(0, 9), min_size=1, max_size=4)
DRAWS = arrays(np.float64, array_shapes(min_dims=2, max_dims=2, min_side=2, max_side=9), elements=st.floats(0, 1))
KS = (1, 2, 4, 8, 16)


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def drawn(sampler: Sampler, m: int, k: int, seed: int = 0) -> Tensor:
    return sample_permutations(sampler, torch.tensor([m]), k, seeded(seed))[:, 0]


@given(sampler=st.sampled_from(SAMPLERS), counts=COUNTS, k=st.integers(1, 13), seed=st.integers(0, 9))
def test_every_order_places_every_block_once(sampler: Sampler, counts: list[int], k: int, seed: int) -> None:
    """The reference implementation's learned permutations leave 8 of 32 places empty and fill 6 twice."""
    places = sample_permutations(sampler, torch.tensor(counts), k, seeded(seed))
    for row, m in enumerate(counts):
        assert places[:, row, :m].sort(1).values.equal(torch.arange(m).expand(k, -1))
        assert places[:, row, m:].equal(torch.arange(m, places.shape[2]).expand(k, -1))


@pytest.mark.parametrize("m", [1, 2, 3, 4, 7, 10])
@pytest.mark.parametrize("rounds", [1, 2, 3])
def test_latin_orders_put_each_block_everywhere_equally_often(m: int, rounds: int) -> None:
    places = drawn("latin", m, rounds * m)
    for block in range(m):
        assert torch.bincount(places[:, block], minlength=m).tolist() == [rounds] * m


@pytest.mark.parametrize("k", [2, 6, 9])
def test_latin_orders_leave_the_promised_share_of_variance(k: int) -> None:
    """For any effect of places that adds up over blocks; shifts with reversals leave more than independent orders do
    where both ends of a row count, which is why places are shuffled too."""
    said, effect = torch.randn(12, generator=seeded(1)), (torch.arange(12) - 5.5).square()
    left = []
    for sampler in SAMPLERS[:2]:
        places = sample_permutations(sampler, torch.full((8000,), 12), k, seeded(2))
        left.append((effect[places] * said).sum(2).mean(0).var().item())
    assert left[1] / left[0] == pytest.approx((12 - k) / 11, abs=0.07)


def test_latin_orders_do_not_repeat_before_they_must() -> None:
    assert len(drawn("latin", 8, 16).unique(dim=0)) == 16


def test_iid_orders_are_uniform() -> None:
    codes = (drawn("iid", 3, 6000) * torch.tensor([9, 3, 1])).sum(1)
    _, counts = codes.unique(return_counts=True)
    assert len(counts) == 6 and ((counts - 1000).square() / 1000).sum() < 20.5  # chi-square, 5 degrees, p = 0.001


def test_banded_orders_keep_the_coarse_order() -> None:
    places = drawn("banded", 12, 50)
    assert ((places // 3) == torch.arange(12) // 3).all()
    assert len(places.unique(dim=0)) > 40


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_only_the_generator_decides(sampler: Sampler) -> None:
    """The reference implementation draws once for each (n, k) and keeps that for good."""
    generator = seeded(1)
    first, again = (sample_permutations(sampler, torch.tensor([9, 5]), 8, generator) for _ in range(2))
    assert first.equal(sample_permutations(sampler, torch.tensor([9, 5]), 8, seeded(1)))
    assert not first.equal(again)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_repeatable_orders_do_not_depend_on_the_other_rows(sampler: Sampler) -> None:
    together = sample_permutations_deterministic(sampler, torch.tensor([4, 9, 4, 0]), 6, 3, bands=2)
    alone = sample_permutations_deterministic(sampler, torch.tensor([4]), 6, 3, bands=2)
    assert together[:, 0, :4].equal(alone[:, 0]) and together[:, 2, :4].equal(alone[:, 0])
    assert not sample_permutations_deterministic(sampler, torch.tensor([4]), 6, 4, bands=2).equal(alone)


@dataclass
class Row:
    """[CLS] b0 b0 | sep | b1 b1 b1 | b2, and two of padding."""

    position_ids: Tensor
    segment_ids: Tensor
    mask: Tensor


def a_row() -> Row:
    segments = torch.tensor([[-1, 0, 0, -1, 1, 1, 1, 2, 0, 1]])
    return Row(torch.arange(10)[None], segments, torch.arange(10)[None] < 8)


def position_ids(mode: PermutationMode, row: Row, places: Tensor | None = None) -> Tensor:
    return permuted_positions(mode, row.position_ids, row.segment_ids, row.mask, places)


def test_blocks_take_the_places_of_their_order() -> None:
    places = torch.tensor([[[0, 1, 2]], [[1, 2, 0]]])
    given_, moved = position_ids("average", a_row(), places)
    assert given_.equal(a_row().position_ids)
    assert moved[0].tolist() == [0, 2, 4, 3, 5, 6, 7, 1, 8, 9]


@given(seed=st.integers(0, 99))
def test_an_order_moves_nothing_but_whole_blocks(seed: int) -> None:
    row = a_row()
    moved = position_ids("average", row, sample_permutations("iid", torch.tensor([3]), 4, seeded(seed)))[:, 0]
    assert moved.sort(1).values.equal(torch.arange(10).expand(4, -1))
    assert moved[:, [0, 3, 8, 9]].equal(torch.tensor([0, 3, 8, 9]).expand(4, -1))
    for block in range(3):
        assert (moved[:, row.segment_ids[0] == block][:, : 3 - (block != 1)].diff(dim=1) > 0).all()


def test_a_set_has_positions_within_its_blocks_only() -> None:
    assert position_ids("exact", a_row()).tolist() == [[[0, 0, 1, 3, 0, 1, 2, 0, 8, 9]]]
    assert position_ids("off", a_row()).equal(a_row().position_ids[None])


def test_a_wrong_mode_is_refused() -> None:
    with pytest.raises(InputError, match="places"):
        position_ids("average", a_row())
    with pytest.raises(InputError, match="sampler"):
        sample_permutations("sorted", torch.tensor([3]), 2, seeded(0))  # type: ignore[arg-type]


def attention(width: int = 16, heads: int = 4) -> BlockAttention:
    torch.manual_seed(0)
    return BlockAttention(width, heads).eval()


def vectors(rows: int = 3, tokens: int = 7, width: int = 16) -> tuple[Tensor, Tensor]:
    lengths = torch.tensor([tokens, tokens - 3, 1])[:rows]
    return torch.randn(rows, tokens, width, generator=seeded(2)), torch.arange(tokens) < lengths[:, None]


def test_one_order_is_plain_attention() -> None:
    module, (x, mask) = attention(), vectors()
    q, k, v = (part.view(3, 7, 4, 4).transpose(1, 2) for part in module.project(x).chunk(3, dim=-1))
    plain = F.scaled_dot_product_attention(q, k, v, mask[:, None, None, :]).transpose(1, 2).reshape(3, 7, 16)
    assert (module(x, mask) - module.combine(plain))[mask].abs().max() < 1e-6


def test_it_agrees_with_the_attention_of_torch() -> None:
    module, (x, mask) = attention(), vectors()
    torchs = nn.MultiheadAttention(16, 4, batch_first=True).eval()
    torchs.load_state_dict(
        {
            "in_proj_weight": module.project.weight,
            "in_proj_bias": module.project.bias,
            "out_proj.weight": module.combine.weight,
            "out_proj.bias": module.combine.bias,
        }
    )
    theirs = torchs(x, x, x, key_padding_mask=~mask, need_weights=False)[0]
    assert (module(x, mask) - theirs)[mask].abs().max() < 1e-6
    size, plain = (sum(p.numel() for p in m.parameters()) for m in (module, torchs))
    assert size <= 1.01 * plain


@pytest.mark.parametrize("garbage", [1e6, math.inf, math.nan])
@pytest.mark.parametrize("segments", [True, False])
def test_padding_leaks_nothing(garbage: float, segments: bool) -> None:
    """In the reference implementation masked tokens move real ones by up to 1.84."""
    module, (x, mask) = attention(), vectors()
    blocks = (torch.arange(7) // 2).expand(3, -1) if segments else None
    changed = torch.where(mask[..., None], x, garbage)
    assert module(x, mask, blocks).equal(module(changed, mask, blocks))


def test_more_padding_changes_nothing() -> None:
    module, (x, mask) = attention(), vectors()
    longer = module(F.pad(x, (0, 0, 0, 20)), F.pad(mask, (0, 20)))
    assert (longer[:, :7] - module(x, mask)).abs().max() < 1e-5
    assert (longer[:, 7:] == 0).all()


def divided(q: Tensor, k: Tensor, v: Tensor, allowed: Tensor, dropped: float) -> Tensor:
    """Attention by the book, which has no answer where nothing may be read, as the fast kernels of some devices."""
    bias = torch.where(allowed, 0.0, -torch.inf) if allowed.dtype == torch.bool else allowed
    return (q @ k.mT / math.sqrt(q.shape[-1]) + bias).softmax(-1) @ v


@pytest.mark.parametrize("kernel", [F.scaled_dot_product_attention, divided])
@pytest.mark.parametrize("segments", [True, False])
def test_a_row_without_tokens_gives_zeros_and_gradients(
    kernel: Callable[..., Tensor], segments: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(F, "scaled_dot_product_attention", kernel)
    module, (x, mask) = attention(), vectors()
    mask[1] = False
    x.requires_grad_()
    answer = module(x, mask, torch.zeros(3, 7).long() if segments else None)
    answer.sum().backward()
    learned = [x, *(p for name, p in module.named_parameters() if segments or name != "together")]
    assert (answer[1] == 0).all() and answer.isfinite().all()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in learned)


def test_k_orders_are_one_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """The reference implementation calls once per order, 12.5 times the cost, to average equal results."""
    module, (x, mask), calls = attention(), vectors(), []
    original = F.scaled_dot_product_attention

    def counted(*args: Any) -> Tensor:
        calls.append(args[0].shape[0])
        return original(*args)

    monkeypatch.setattr(F, "scaled_dot_product_attention", counted)
    copies = split_copies(module(merge_copies(x, 8), merge_copies(mask, 8)), 8)
    assert calls == [24]
    assert (copies - module(x, mask)).abs().max() < 1e-6


def test_moving_vectors_with_their_positions_would_do_nothing() -> None:
    """Why ids move: attention undoes a permutation of its inputs, so the reference's average is the identity."""
    module, (x, _) = attention(), vectors()
    mask, order = torch.ones(3, 7, dtype=torch.bool), torch.randperm(7, generator=seeded(1))
    assert (module(x[:, order], mask) - module(x, mask)[:, order]).abs().max() < 1e-6


def test_blocks_without_order_are_no_bag_of_words() -> None:
    """{ab, cd} and {ad, cb} have the same tokens at the same positions; only who stands together tells them apart."""
    module, mask = attention(), torch.ones(1, 4, dtype=torch.bool)
    x = torch.randn(1, 4, 16, generator=seeded(3))
    one, other = torch.tensor([[0, 0, 1, 1]]), torch.tensor([[0, 1, 1, 0]])
    assert (module(x, mask, one) - module(x, mask, other)).abs().max() < 1e-6
    nn.init.ones_(module.together)
    assert (module(x, mask, one) - module(x, mask, other)).abs().max() > 1e-2
    assert (module(x, mask, torch.zeros(1, 4).long()) - module(x, mask)).abs().max() < 1e-6


def test_fixed_tokens_are_no_block() -> None:
    module, (x, mask) = attention(), vectors(rows=1)
    nn.init.ones_(module.together)
    biased, plain = module(x, mask, torch.tensor([[-1, -1, 0, 0, 0, 1, 1]])), module(x, mask)
    assert (biased - plain)[:, :2].abs().max() < 1e-6
    assert (biased - plain)[:, 2:].abs().max() > 1e-2


def test_state_survives_a_file(tmp_path: Path) -> None:
    module, (x, mask) = attention(), vectors()
    save_file(module.state_dict(), tmp_path / "state.safetensors")
    other = BlockAttention(16, 4).eval()
    other.load_state_dict(load_file(tmp_path / "state.safetensors"))
    assert other(x, mask).equal(module(x, mask))
    with pytest.raises(InputError, match="divide"):
        BlockAttention(16, 3)


class Reader(nn.Module):
    """One layer that reads n exchangeable bits and a query at the end: the chance that the next bit is 1."""

    def __init__(self, n: int, width: int = 16) -> None:
        super().__init__()
        self.word, self.place = nn.Embedding(3, width), nn.Embedding(n + 1, width)
        self.attend, self.norm = BlockAttention(width, 2), nn.LayerNorm(width)
        self.think = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 32), nn.GELU(), nn.Linear(32, width))
        self.answer = nn.Linear(width, 1)

    def forward(self, bits: Tensor, places: Tensor) -> Tensor:
        x = self.word(bits) + self.place(places)
        x = x + self.attend(self.norm(x), torch.ones_like(bits, dtype=torch.bool))
        return self.answer((x + self.think(x))[:, -1])[:, 0]


def bits(n: int, rows: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Rows of n bits and the query (2), and the bit that came next."""
    drawn = (torch.rand(rows, n + 1, generator=generator) < torch.rand(rows, 1, generator=generator)).long()
    return torch.cat([drawn[:, :n], torch.full((rows, 1), 2)], dim=1), drawn[:, n]


def trained(n: int, steps: int = 250) -> Reader:
    torch.manual_seed(0)
    model, generator = Reader(n), seeded(0)
    optimiser = torch.optim.Adam(model.parameters(), 3e-3)
    for _ in range(steps):
        x, y = bits(n, 128, generator)
        loss = F.binary_cross_entropy_with_logits(model(x, torch.arange(n + 1).expand(128, -1)), y.float())
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return model.eval()


@torch.no_grad()
def answers(model: Reader, x: Tensor, mode: PermutationMode, places: Tensor | None = None) -> Tensor:
    """The chance of a 1 under each order, [K, B]."""
    given_ = torch.arange(x.shape[1]).expand(len(x), -1)
    segments = torch.where(given_ < x.shape[1] - 1, given_, -1)
    ids = permuted_positions(mode, given_, segments, torch.ones_like(x, dtype=torch.bool), places)
    return split_copies(model(merge_copies(x, len(ids)), ids.flatten(0, 1)), len(ids)).sigmoid()


Taught = tuple[Reader, Tensor, Tensor]


@pytest.fixture(scope="module", params=[10, pytest.param(50, marks=pytest.mark.slow)])
def taught(request: pytest.FixtureRequest) -> Taught:
    return trained(request.param), *bits(request.param, 32, seeded(5))


def spread(model: Reader, x: Tensor, sampler: Sampler, k: int, repeats: int, seed: int) -> float:
    """Mean over rows of the sd of the average of k orders."""
    n = torch.full((len(x),), x.shape[1] - 1)
    generator = seeded(seed)
    means = [
        answers(model, x, "average", sample_permutations(sampler, n, k, generator)).double().mean(0)
        for _ in range(repeats)
    ]
    return torch.stack(means).std(0).mean().item()


def test_the_spread_over_orders_falls_as_one_over_root_k(taught: Taught) -> None:
    spreads = [spread(*taught[:2], "iid", k, 100, seed=k) for k in KS]
    assert spreads[0] > 1e-3
    assert -0.6 < np.polyfit(np.log(KS), np.log(spreads), 1)[0] < -0.4


@pytest.mark.parametrize("k", [2, 4, 10, 20])
def test_latin_orders_spread_no_more_than_independent_ones(taught: Taught, k: int) -> None:
    latin, iid = (spread(*taught[:2], sampler, k, 60, seed=1) for sampler in ("latin", "iid"))
    assert latin <= 1.05 * iid  # at n = 50 and k = 2 the promise is 1 % less, and the estimate is good to 2 %


def test_all_shifts_together_leave_hardly_any_spread(taught: Taught) -> None:
    n = taught[1].shape[1] - 1
    assert spread(*taught[:2], "latin", 2 * n, 20, seed=2) < 0.05 * spread(*taught[:2], "iid", 2 * n, 20, seed=2)


def test_a_set_is_answered_the_same_in_any_order(taught: Taught) -> None:
    model, x, _ = taught
    shuffled = torch.stack(
        [torch.cat([x[:, torch.randperm(x.shape[1] - 1, generator=seeded(s))], x[:, -1:]], 1) for s in range(20)]
    )
    exact, ordered = (torch.stack([answers(model, rows, mode)[0] for rows in shuffled]) for mode in ("exact", "off"))
    assert PermutationStatistics.of(exact).std.max() < 1e-6
    assert PermutationStatistics.of(ordered).std.mean() > 1e-3


def test_averaging_probabilities_never_costs(taught: Taught) -> None:
    model, x, y = taught
    for seed in range(10):
        p = answers(model, x, "average", sample_permutations("iid", torch.full((32,), x.shape[1] - 1), 8, seeded(seed)))
        gap = jensen_gap(p, y)
        assert gap.min() > -1e-12 and gap.mean() > 0
        assert gap.mean().item() == pytest.approx(_nll(p, y).mean().item() - _nll(p.mean(0), y).mean().item(), abs=1e-6)


def _nll(p: Tensor, y: Tensor) -> Tensor:
    return F.binary_cross_entropy(p, y.expand_as(p).float(), reduction="none")


def test_it_learns_the_beta_bernoulli_mean(taught: Taught) -> None:
    """Averaging removes spread, hardly the error: 0.025 is what the paper's set-up leaves either way."""
    model, x, _ = taught
    n = x.shape[1] - 1
    exact = (x[:, :n].sum(1) + 1) / (n + 2)
    p = answers(model, x, "average", sample_permutations("latin", torch.full((32,), n), 8, seeded(0)))
    assert (p.mean(0) - exact).abs().mean() < 0.04


@given(p=DRAWS)
def test_statistics_are_what_they_say(p: np.ndarray) -> None:
    found = PermutationStatistics.of(torch.as_tensor(p))
    np.testing.assert_allclose(found.mean, p.mean(0), atol=1e-12)
    np.testing.assert_allclose(found.std, p.std(0, ddof=1), atol=1e-12)
    np.testing.assert_allclose(found.low, np.quantile(p, 0.05, axis=0), atol=1e-12)
    assert (np.abs(p - p.mean(0)).mean(0) <= found.bound.numpy() + 1e-7).all()


def test_the_divergence_is_the_mean_one_to_the_mixture() -> None:
    p = np.array([[0.2], [0.7], [0.9]])
    mean = p.mean()
    exact = (p * np.log(p / mean) + (1 - p) * np.log((1 - p) / (1 - mean))).mean()
    found = PermutationStatistics.of(torch.as_tensor(p))
    assert found.jsd.item() == pytest.approx(exact, abs=1e-12)
    assert found.bound.item() == pytest.approx(math.sqrt(exact / 2), abs=1e-12)


@given(p=DRAWS, seed=st.integers(0, 9))
def test_the_jensen_gap_is_never_negative(p: np.ndarray, seed: int) -> None:
    y = torch.rand(p.shape[1], generator=seeded(seed)) < 0.5
    assert (jensen_gap(torch.as_tensor(p), y) > -1e-9).all()


def test_one_order_says_nothing_of_spread() -> None:
    found = PermutationStatistics.of(torch.tensor([[0.3, 0.8]]))
    assert found.mean.tolist() == pytest.approx([0.3, 0.8], abs=1e-7)
    assert all(part.isnan().all() for part in (found.std, found.jsd, found.bound, found.low))


def test_a_bayesian_is_a_martingale_and_a_majority_vote_is_none() -> None:
    yes, no = torch.tensor([0.0, 3.0, 10.0]), torch.tensor([0.0, 1.0, 30.0])

    def gap(chance: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
        return martingale_gap(chance(yes, no), chance(yes + 1, no), chance(yes, no + 1))

    assert gap(lambda a, b: (a + 0.5) / (a + b + 1)).abs().max() < 1e-6
    assert gap(lambda a, b: (2 * a + 1) ** 2 / ((2 * a + 1) ** 2 + (2 * b + 1) ** 2)).abs().max() > 1e-3


@pytest.mark.slow
def test_it_costs_what_plain_attention_costs() -> None:
    module, torchs = attention(64, 4), nn.MultiheadAttention(64, 4, batch_first=True).eval()
    x, mask = torch.randn(32, 64, 64, generator=seeded(0)), torch.ones(32, 64, dtype=torch.bool)

    def seconds(forward: Callable[[], Any]) -> float:
        def once() -> float:
            start = time.process_time()
            forward()
            return time.process_time() - start

        return min(once() for _ in range(30))

    plain = seconds(lambda: torchs(x, x, x, key_padding_mask=~mask, need_weights=False))
    assert seconds(lambda: module(x, mask)) <= 1.3 * plain
    assert seconds(lambda: module(merge_copies(x, 8), merge_copies(mask, 8))) <= 8 * 1.3 * plain

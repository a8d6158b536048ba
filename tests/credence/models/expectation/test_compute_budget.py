"""The budget scales as its formula says, is spent to the last step, and stops where more would change nothing."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F

from credence.core.errors import InputError
from credence.models.expectation.compute_budget import (
    ComputeBudget,
    StoppedPasses,
    run_block_repeatedly,
    sample_until_settled,
    smallest_sufficient_k,
)

torch.set_num_threads(1)
LENGTHS = st.integers(1, 10**6)


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def wanted(budget: ComputeBudget, length: int, epsilon: float) -> float:
    return budget(torch.tensor([length]), epsilon)[1].item()


@given(length=LENGTHS, epsilon=st.floats(1e-6, 0.9), constant=st.floats(0.01, 10))
def test_four_times_the_length_doubles_the_budget(length: int, epsilon: float, constant: float) -> None:
    budget = ComputeBudget(constant=constant)
    assert wanted(budget, 4 * length, epsilon) == 2 * wanted(budget, length, epsilon)


@given(length=LENGTHS, epsilon=st.floats(1e-6, 0.9))
def test_the_square_of_the_error_doubles_the_budget(length: int, epsilon: float) -> None:
    budget = ComputeBudget()
    assert wanted(budget, length, epsilon**2) == pytest.approx(2 * wanted(budget, length, epsilon), rel=1e-12)


@given(lengths=st.lists(st.integers(0, 10**6), min_size=1, max_size=9), epsilon=st.floats(1e-6, 0.9))
def test_the_limits_hold_and_the_budget_is_rounded_up(lengths: list[int], epsilon: float) -> None:
    k, exact = ComputeBudget(least=2, most=9)(torch.tensor(lengths), epsilon)
    assert k.tolist() == [min(max(int(np.ceil(e)), 2), 9) for e in exact.tolist()]
    assert k.dtype == torch.int64


def test_the_constant_is_the_least_squares_one() -> None:
    lengths = torch.randint(1, 200, (300,), generator=seeded(0))
    needed = (0.3 * lengths.double().sqrt() * 4 + torch.randn(300, generator=seeded(1))).round().clamp(1).long()
    budget = ComputeBudget()
    budget.fit(lengths, needed, epsilon=1 / 16)
    shape = 4 * np.sqrt(lengths.numpy())[:, None]
    assert budget.constant.item() == pytest.approx(np.linalg.lstsq(shape, needed.numpy(), rcond=None)[0][0], rel=1e-9)
    assert budget.constant.item() == pytest.approx(0.3, rel=0.05)


def test_enough_is_where_the_loss_comes_near_its_last() -> None:
    nll = torch.tensor([[0.9, 0.20, 0.1], [0.5, 0.20, 0.9], [0.3, 0.19, 0.3], [0.3, 0.2, 0.3]])
    assert smallest_sufficient_k(nll, torch.tensor([1, 2, 4, 8]), epsilon=0.05).tolist() == [4, 1, 1]


def test_wrong_budgets_are_refused() -> None:
    with pytest.raises(InputError, match="least"):
        ComputeBudget(least=5, most=4)
    for epsilon in (0.0, 1.0):
        with pytest.raises(InputError, match="epsilon"):
            ComputeBudget()(torch.tensor([3]), epsilon)
    with pytest.raises(InputError, match="most"):
        sample_until_settled(lambda rows, first, last: torch.zeros(last - first, len(rows)), 3, most=1, epsilon=0.1)


def test_the_constant_survives_a_file(tmp_path: Path) -> None:
    save_file(ComputeBudget(constant=0.25).state_dict(), tmp_path / "state.safetensors")
    budget = ComputeBudget()
    budget.load_state_dict(load_file(tmp_path / "state.safetensors"))
    assert wanted(budget, 100, 0.5) == 2.5
    assert not list(budget.parameters())


def test_the_block_runs_as_often_as_the_budget_says() -> None:
    """The reference implementation computes k* and then makes one token per input token, whatever it is."""
    calls: list[int] = []

    def block(x: Tensor, mask: Tensor) -> Tensor:
        assert len(x) == len(mask)
        calls.append(len(x))
        return x + 1

    k = torch.tensor([3, 0, 5, 1])
    x = run_block_repeatedly(block, torch.zeros(4, 2, 2), torch.ones(4, 2, dtype=torch.bool), k)
    assert x[:, 0, 0].tolist() == [3, 0, 5, 1]
    assert len(calls) == 5 and sum(calls) == k.sum()


def test_rows_take_their_own_number_of_steps_alone_and_together() -> None:
    torch.manual_seed(0)
    layer, x = nn.Linear(4, 4), torch.randn(6, 3, 4, generator=seeded(0))
    mask, k = torch.ones(6, 3, dtype=torch.bool), torch.tensor([1, 4, 2, 4, 0, 3])
    together = run_block_repeatedly(lambda x, _: layer(x), x, mask, k)
    alone = [run_block_repeatedly(lambda x, _: layer(x), x[[i]], mask[[i]], k[[i]]) for i in range(6)]
    torch.testing.assert_close(together, torch.cat(alone))
    together.sum().backward()
    assert layer.weight.grad is not None and layer.weight.grad.abs().sum() > 0


def stopped(p: Tensor, epsilon: float = 0.01, least: int = 2) -> tuple[StoppedPasses, int]:
    """The rule on recorded passes [K, B], and how many of them it asked for."""
    asked = 0

    def passes(rows: Tensor, first: int, last: int) -> Tensor:
        nonlocal asked
        asked += (last - first) * len(rows)
        return p[first:last, rows]

    return sample_until_settled(passes, p.shape[1], len(p), epsilon, least=least), asked


def world(rows: int, slope: float, noise: float) -> Tensor:
    """32 passes [32, rows] that scatter around logits of spread `slope`."""
    centre = slope * torch.randn(rows, generator=seeded(1))
    return torch.sigmoid(centre + noise * torch.randn(32, rows, generator=seeded(2)))


def test_stopping_early_decides_as_all_passes_do() -> None:
    p = world(5000, slope=3.0, noise=0.3)
    found, asked = stopped(p)
    agreed = ((found.probability > 0.5) == (p.double().mean(0) > 0.5)).double().mean()
    assert agreed >= 0.99
    assert found.k.double().mean() <= 16
    assert asked == found.k.sum()


def test_four_passes_to_begin_with_settle_fewer_answers_too_soon() -> None:
    p = world(5000, slope=1.0, noise=1.0)
    everything = p.double().mean(0) > 0.5
    two, four = (((stopped(p, least=n)[0].probability > 0.5) == everything).double().mean() for n in (2, 4))
    assert two < 0.97 and four >= 0.99
    assert stopped(p, least=4)[0].k.min() == 4


def test_rows_on_the_fence_take_all_passes() -> None:
    p = 0.5 + 0.3 * torch.randn(32, 200, generator=seeded(3)).clamp(-1, 1)
    found, _ = stopped(p)
    assert found.k.double().mean() > 16


def test_the_reported_mean_and_spread_are_of_the_passes_taken() -> None:
    p = world(50, slope=1.0, noise=1.0)
    found, _ = stopped(p)
    assert len(found.k.unique()) > 2
    for row, k in enumerate(found.k.tolist()):
        assert found.probability[row].item() == pytest.approx(p[:k, row].double().mean().item(), abs=1e-12)
        assert found.std[row].item() == pytest.approx(p[:k, row].double().std().item(), abs=1e-12)


def test_precision_stops_where_the_decision_is_open() -> None:
    p = 0.5 + 1e-4 * torch.tensor([1.0, -1.0]).repeat(16)[:, None]
    assert stopped(p, epsilon=0.01)[0].k.tolist() == [2]
    assert stopped(p, epsilon=1e-9)[0].k.tolist() == [32]


def test_the_last_step_of_an_odd_budget_is_taken() -> None:
    p = 0.5 + 0.4 * torch.tensor([1.0, -1.0]).repeat(6)[:11, None]
    assert stopped(p)[0].k.tolist() == [11]


class Neighbours(nn.Module):
    """A weight-tied block in which a token sees its left neighbour only: what lies d away takes d steps."""

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.read = nn.Linear(1, width)
        self.step = nn.Sequential(nn.Linear(2 * width, 48), nn.GELU(), nn.Linear(48, width))
        self.answer = nn.Linear(width, 1)

    def block(self, x: Tensor, mask: Tensor) -> Tensor:
        left = F.pad(x, (0, 0, 1, 0))[:, :-1]
        return torch.where(mask[..., None], x + self.step(torch.cat([x, left], dim=2)), x)

    def forward(self, bits: Tensor, k: Tensor) -> Tensor:
        x = run_block_repeatedly(self.block, self.read(bits[..., None]), torch.ones_like(bits, dtype=torch.bool), k)
        return self.answer(x[:, -1])[:, 0]


def test_more_steps_answer_what_needs_them() -> None:
    """A sum over five tokens: the shares right of 1 to 4 steps never fall, and only the last can know it all."""
    bits = torch.tensor([[(n >> i) & 1 for i in range(7)] for n in range(128)]).float()
    y = (bits[:, 2:].sum(1) >= 3).float()
    torch.manual_seed(0)
    model = Neighbours()
    optimiser = torch.optim.Adam(model.parameters(), 5e-3)
    for step in range(400):
        loss = F.binary_cross_entropy_with_logits(model(bits, torch.full((128,), step % 4 + 1)), y)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    right = [((model(bits, torch.full((128,), k)) > 0) == y).double().mean().item() for k in (1, 2, 3, 4)]
    errors = [(share * (1 - share) / 128) ** 0.5 for share in right]
    assert all(after >= before - error for before, after, error in zip(right, right[1:], errors, strict=False))
    assert right[0] < 0.85 and right[-1] > 0.97

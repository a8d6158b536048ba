"""Code lengths are those of real codes: they match closed forms, bound the evidence, and charge for the model."""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from scipy.integrate import quad
from scipy.special import expit
from scipy.stats import multivariate_normal
from torch import Tensor
from torch.nn import functional as F

from credence.evaluation.code_length import kt_bits, label_bits
from credence.models.expectation.variational_last_layer import (
    VariationalLastLayer,
    expected_nll,
    logit_normal_mean,
    mdl_loss,
)

torch.set_num_threads(1)
BITS = st.lists(st.integers(0, 1), min_size=1, max_size=300)


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def layer(width: int = 4, dense: bool = True, precision: float = 2.0, seed: int = 0) -> VariationalLastLayer:
    """A layer in float64 with a posterior of no special form."""
    module, generator = VariationalLastLayer(width, dense, precision).double(), seeded(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(0.5 * torch.randn(parameter.shape, generator=generator, dtype=torch.float64))
    return module


def one_by_one(y: list[int]) -> float:
    """The KT code, spelled out: bits for one symbol after the other."""
    bits, counts = 0.0, [0.5, 0.5]
    for label in y:
        bits -= math.log2(counts[label] / sum(counts))
        counts[label] += 1
    return bits


@given(y=BITS)
def test_kt_is_its_sequential_code(y: list[int]) -> None:
    assert kt_bits(sum(y), len(y) - sum(y)) == pytest.approx(one_by_one(y), rel=1e-9, abs=1e-9)


@given(y=BITS, seed=st.integers(0, 9))
def test_kt_does_not_know_the_order(y: list[int], seed: int) -> None:
    shuffled = [y[i] for i in torch.randperm(len(y), generator=seeded(seed)).tolist()]
    assert one_by_one(shuffled) == pytest.approx(kt_bits(sum(y), len(y) - sum(y)), rel=1e-9)


def test_kt_on_the_worked_example() -> None:
    """n = 1000 with 193 ones: 5.31 bits over the entropy, where the reference implementation charges 119.9."""
    assert kt_bits(193, 807) == pytest.approx(713.0144, abs=5e-5)
    entropy = label_bits(np.array([1] * 193 + [0] * 807)) - 0.5 * math.log2(1000)
    assert entropy == pytest.approx(707.71, abs=5e-3)
    assert entropy + 0.5 * math.log2(1000 * math.pi / 2) == pytest.approx(713.014, abs=1e-3)


@pytest.mark.parametrize("n", [10, 100, 1000, 10_000])
def test_kt_costs_half_a_logarithm_more_than_the_entropy(n: int) -> None:
    excess = kt_bits(n // 5, n - n // 5) - n * (-0.2 * math.log2(0.2) - 0.8 * math.log2(0.8))
    assert excess == pytest.approx(0.5 * math.log2(n * math.pi / 2), abs=0.1)


@pytest.mark.parametrize("dense", [True, False])
def test_kl_is_the_expected_log_ratio(dense: bool) -> None:
    """By the general formula for two Gaussians, and by sampling."""
    module = layer(dense=dense)
    root = _root(module)
    covariance, prior = root @ root.T, torch.eye(4, dtype=torch.float64) / module.precision
    q, p = (
        torch.distributions.MultivariateNormal(m, c)
        for m, c in ((module.mean, covariance), (torch.zeros(4).double(), prior))
    )
    assert module.kl().item() == pytest.approx(torch.distributions.kl_divergence(q, p).item(), rel=1e-10)
    torch.manual_seed(0)
    w = q.sample((20_000,))
    assert module.kl().item() == pytest.approx((q.log_prob(w) - p.log_prob(w)).mean().item(), rel=0.03)


def _root(module: VariationalLastLayer) -> Tensor:
    lower = torch.zeros(4, 4).double() if module.lower is None else module.lower.detach().tril(-1)
    return torch.diag(module.log_sd.detach().exp()) + lower


def test_the_gradient_of_kl_is_the_derived_one() -> None:
    """tau mu; tau s^2 - 1 for log s; tau L below the diagonal."""
    module = layer(precision=3.0)
    module.kl().backward()
    assert module.mean.grad is not None and module.log_sd.grad is not None
    assert module.lower is not None and module.lower.grad is not None
    torch.testing.assert_close(module.mean.grad, 3 * module.mean.detach())
    torch.testing.assert_close(module.log_sd.grad, 3 * (2 * module.log_sd.detach()).exp() - 1)
    torch.testing.assert_close(module.lower.grad, 3 * module.lower.detach().tril(-1))
    for name, parameter in module.named_parameters():
        assert name == "bias" or torch.autograd.gradcheck(lambda _: module.kl(), parameter, atol=1e-6)


def test_the_prior_is_set_where_the_code_is_shortest() -> None:
    module = layer(precision=1.0)
    module.fit_prior()
    best, tau = module.kl().item(), module.precision.item()
    for factor in (0.9, 1.1):
        module.precision.fill_(tau * factor)
        assert module.kl().item() > best


@pytest.mark.parametrize("dense", [True, False])
def test_the_logit_has_the_moments_of_its_draws(dense: bool) -> None:
    module, z = layer(dense=dense), torch.randn(5, 4, generator=seeded(1), dtype=torch.float64)
    mean, variance = module(z)
    draws = module.draw(z, 40_000, seeded(2)).detach()
    torch.testing.assert_close(draws.mean(0), mean.detach(), atol=0.08, rtol=0.02)
    torch.testing.assert_close(draws.var(0), variance.detach(), rtol=0.05, atol=0.01)


def test_a_draw_is_one_set_of_weights_for_all_rows() -> None:
    module, z = layer(), torch.randn(5, 4, generator=seeded(1), dtype=torch.float64)
    together, alone = module.draw(z, 3, seeded(2)), module.draw(z[:1], 3, seeded(2))
    torch.testing.assert_close(together[:, :1], alone)
    torch.testing.assert_close(module.draw(2 * z, 3, seeded(2)) - module.bias, 2 * (together - module.bias))


def test_a_diagonal_layer_has_as_many_parameters_more_as_features() -> None:
    assert sum(p.numel() for p in VariationalLastLayer(64).parameters()) == 65 + 64


@pytest.mark.parametrize(("mean", "variance"), [(0, 0), (1, 0.5), (3, 1), (-2, 4), (4, 9)])
def test_quadrature_agrees_with_integration(mean: float, variance: float) -> None:
    m, v = torch.tensor([float(mean)]), torch.tensor([float(variance)])
    assert logit_normal_mean(m, v).item() == pytest.approx(_integral(expit, mean, variance), abs=1e-4)
    for label, sign in ((1, -1), (0, 1)):
        exact = _integral(lambda z, sign=sign: np.logaddexp(0, sign * z), mean, variance)
        assert expected_nll(m, v, torch.tensor([label])).item() == pytest.approx(exact, abs=1e-4)


def _integral(function: Callable[[float], float], mean: float, variance: float) -> float:
    def weighted(e: float) -> float:
        return float(function(mean + math.sqrt(variance) * e)) * math.exp(-e * e / 2) / math.sqrt(2 * math.pi)

    return quad(weighted, -12, 12, limit=500)[0]


def test_the_probit_formula_would_be_off() -> None:
    for mean, variance in ((3, 1), (4, 9)):
        exact = _integral(expit, mean, variance)
        assert abs(expit(mean / math.sqrt(1 + math.pi * variance / 8)) - exact) > 0.003


def test_perfect_predictions_pay_for_the_model_only() -> None:
    """The reference implementation adds 13.4 here, and 133.7 where the predictions are sharper still."""
    logits, y, kl = torch.tensor([40.0, -40.0, 60.0]), torch.tensor([1, 0, 1]), torch.tensor(12.0).double()
    nll, share = mdl_loss(logits, torch.zeros(3), y, kl, n_train=100)
    assert nll.sum().item() == pytest.approx(0, abs=1e-12) and share.item() == pytest.approx(12 / 100, abs=1e-12)


def test_the_loss_is_the_targets_nll_plus_the_models_share() -> None:
    logits, y = torch.randn(50, generator=seeded(0)), torch.randint(0, 2, (50,), generator=seeded(1))
    found, share = mdl_loss(logits, torch.zeros(50), y, torch.tensor(3.0), n_train=200)
    nll = F.binary_cross_entropy_with_logits(logits, y.float(), reduction="none")
    assert torch.allclose(found.float(), nll, rtol=1e-5) and share.item() == pytest.approx(3 / 200)
    assert not torch.allclose(mdl_loss(-logits, torch.zeros(50), y, torch.tensor(3.0), 200)[0], found)


def test_an_uncertain_logit_costs_more_where_it_is_right() -> None:
    logits, y, kl = torch.tensor([3.0]), torch.tensor([1]), torch.zeros(())
    sure, unsure = (mdl_loss(logits, torch.tensor([v]), y, kl, 1)[0].item() for v in (0.0, 4.0))
    assert unsure > sure + 0.1


def test_the_loss_trains_the_layer() -> None:
    z, module = torch.randn(200, 6, generator=seeded(0)), VariationalLastLayer(6, dense=True)
    y = (z[:, 0] + 0.5 * torch.randn(200, generator=seeded(1)) > 0).long()
    optimiser, losses = torch.optim.Adam(module.parameters(), 0.05), []
    for _ in range(100):
        mean, variance = module(z)
        nll, share = mdl_loss(mean, variance, y, module.kl(), 200)
        loss = nll.mean() + share
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.6 * losses[0]
    assert 200 * losses[-1] / math.log(2) < label_bits(y.numpy()) / 1.3


class Conjugate:
    """y = z.w + noise with Gaussian weights: the one case where the evidence and the posterior are known."""

    def __init__(self, n: int = 30, width: int = 4, precision: float = 2.0, noise: float = 0.5) -> None:
        self.z = torch.randn(n, width, generator=seeded(3), dtype=torch.float64)
        self.y = self.z @ torch.randn(width, generator=seeded(4), dtype=torch.float64) * precision**-0.5
        self.y = self.y + noise * torch.randn(n, generator=seeded(5), dtype=torch.float64)
        self.precision, self.noise = precision, noise

    def evidence_bits(self) -> float:
        covariance = self.z @ self.z.T / self.precision + self.noise**2 * torch.eye(len(self.y))
        return -multivariate_normal(np.zeros(len(self.y)), covariance.numpy()).logpdf(self.y.numpy()) / math.log(2)

    def total_bits(self, module: VariationalLastLayer) -> float:
        mean, variance = (part.detach() for part in module(self.z))
        spread = ((self.y - mean).square() + variance) / (2 * self.noise**2)
        nll = spread + 0.5 * math.log(2 * math.pi * self.noise**2)
        return float(nll.sum() + module.kl().detach()) / math.log(2)

    def posterior(self) -> VariationalLastLayer:
        module = layer(self.z.shape[1], precision=self.precision)
        precision = self.precision * torch.eye(self.z.shape[1]) + self.z.T @ self.z / self.noise**2
        root = torch.linalg.cholesky(torch.linalg.inv(precision))
        with torch.no_grad():
            assert module.lower is not None
            module.mean.copy_(torch.linalg.solve(precision, self.z.T @ self.y / self.noise**2))
            module.log_sd.copy_(root.diagonal().log())
            module.lower.copy_(root)
            module.bias.zero_()
        return module


@settings(max_examples=30)
@given(seed=st.integers(0, 10**6))
def test_no_code_is_shorter_than_the_evidence(seed: int) -> None:
    world = Conjugate()
    module = layer(precision=world.precision, seed=seed)
    torch.nn.init.zeros_(module.bias)
    assert world.total_bits(module) > world.evidence_bits()


def test_the_posterior_reaches_the_evidence() -> None:
    world = Conjugate()
    assert world.total_bits(world.posterior()) == pytest.approx(world.evidence_bits(), abs=1e-6)


def test_next_to_the_posterior_the_code_is_longer() -> None:
    world, module = Conjugate(), Conjugate().posterior()
    for parameter in (module.mean, module.log_sd):
        with torch.no_grad():
            parameter.add_(0.02)
        assert world.total_bits(module) > world.evidence_bits() + 1e-4


def test_state_survives_a_file(tmp_path: Path) -> None:
    module, other = layer(), VariationalLastLayer(4, dense=True).double()
    save_file(module.state_dict(), tmp_path / "state.safetensors")
    other.load_state_dict(load_file(tmp_path / "state.safetensors"))
    assert other.kl().equal(module.kl()) and other.precision == 2

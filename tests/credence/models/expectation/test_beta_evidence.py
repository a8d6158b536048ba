"""Evidence is counted, not imagined: exact posteriors from labels, pseudo-counts from density, none far from data."""

import math
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from scipy.integrate import quad
from scipy.stats import beta as beta_distribution
from scipy.stats import multivariate_normal
from sklearn.covariance import ledoit_wolf
from torch import Tensor

from credence.core.errors import InputError
from credence.models.expectation.beta_evidence import BetaEvidence, BetaEvidenceHead
from credence.models.expectation.feature_density import FeatureDensity, neighborhood_cells
from credence.models.transformer.encoder import MaskedMoments

torch.set_num_threads(1)
PSEUDO = st.floats(0.01, 1e4)
LABELS = st.lists(st.tuples(st.integers(0, 1), st.booleans()), min_size=1, max_size=60)


def whole(y: Tensor) -> Tensor:
    return torch.ones_like(y, dtype=torch.bool)


def evidence(alpha: float, beta: float) -> BetaEvidence:
    return BetaEvidence(*torch.tensor([[alpha], [beta]], dtype=torch.float64))


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@given(labels=LABELS, a=PSEUDO, b=PSEUDO)
def test_counts_are_the_conjugate_posterior(labels: list[tuple[int, bool]], a: float, b: float) -> None:
    y, mask = (torch.tensor([column]) for column in zip(*labels, strict=True))
    real = [label for label, kept in labels if kept]
    found = BetaEvidenceHead((a, b)).counts(y, mask.bool())
    assert found.mean.item() == pytest.approx((a + sum(real)) / (a + b + len(real)), abs=1e-9)
    assert found.concentration.item() == pytest.approx(a + b + len(real), rel=1e-12)


def test_the_mean_is_the_integral_of_the_posterior() -> None:
    y = torch.tensor([[1, 0, 0, 1, 0, 0, 0]])
    found = BetaEvidenceHead((2.0, 3.0)).counts(y, whole(y))

    def density(chance: float) -> float:
        return float(beta_distribution.pdf(chance, 2, 3) * chance**2 * (1 - chance) ** 5)

    exact = quad(lambda c: c * density(c), 0, 1)[0] / quad(density, 0, 1)[0]
    assert found.mean.item() == pytest.approx(exact, abs=1e-9)


def test_weights_count_as_repetitions() -> None:
    y, weight = torch.tensor([[1, 0]]), torch.tensor([[3.0, 2.0]])
    repeated = torch.tensor([[1, 1, 1, 0, 0]])
    head = BetaEvidenceHead()
    assert head.counts(y, whole(y), weight) == head.counts(repeated, whole(repeated))


@given(labels=st.lists(st.integers(0, 1), min_size=2, max_size=200), seed=st.integers(0, 99))
def test_the_order_of_evidence_changes_no_bit(labels: list[int], seed: int) -> None:
    y = torch.tensor([labels])
    shuffled = y[:, torch.randperm(len(labels), generator=seeded(seed))]
    head = BetaEvidenceHead((0.3, 0.7))
    ours, theirs = head.counts(y, whole(y)), head.counts(shuffled, whole(shuffled))
    assert ours.alpha.equal(theirs.alpha) and ours.beta.equal(theirs.beta)


@given(alpha=PSEUDO, beta=PSEUDO)
def test_variance_splits_exactly(alpha: float, beta: float) -> None:
    found = evidence(alpha, beta)
    assert (found.epistemic_var + found.aleatoric_var).item() == pytest.approx(
        (found.mean * (1 - found.mean)).item(), abs=2e-16, rel=1e-12
    )
    assert found.epistemic_var.item() == pytest.approx(beta_distribution.var(alpha, beta), rel=1e-9)


@pytest.mark.parametrize(("alpha", "beta"), [(0.5, 0.5), (2, 7), (120.5, 30.5)])
def test_entropy_splits_into_what_data_could_and_could_not_tell(alpha: float, beta: float) -> None:
    found = evidence(alpha, beta)

    def expected(chance: float) -> float:
        entropy = -chance * math.log(chance) - (1 - chance) * math.log1p(-chance)
        return float(entropy * beta_distribution.pdf(chance, alpha, beta))

    assert found.aleatoric.item() == pytest.approx(quad(expected, 0, 1, limit=500)[0], abs=1e-7)
    mean = alpha / (alpha + beta)
    assert found.total.item() == pytest.approx(-mean * math.log(mean) - (1 - mean) * math.log(1 - mean), abs=1e-12)
    assert found.epistemic.item() == pytest.approx((found.total - found.aleatoric).item(), abs=1e-15)


@pytest.mark.parametrize("n", [100, 1000, 10_000])
def test_variance_shrinks_as_one_over_n(n: int) -> None:
    y = (torch.arange(n) % 10 < 3).long()[None]
    found = BetaEvidenceHead().counts(y, whole(y))
    assert n * found.epistemic_var.item() == pytest.approx(0.3 * 0.7, rel=0.1)


def test_a_thousand_equal_tokens_are_more_evidence_than_one() -> None:
    """The reference implementation answers alpha + beta = 3.445 for 1, 10, 100 and 1000."""
    head = BetaEvidenceHead()
    found = [head.counts(y, whole(y)) for y in (torch.ones(1, n) for n in (1, 10, 100, 1000))]
    assert [f.concentration.item() for f in found] == [2, 11, 101, 1001]
    assert all(a.epistemic > 5 * b.epistemic for a, b in pairwise(found))


def test_what_no_data_can_tell_stays_while_doubt_goes() -> None:
    """The reference implementation reports all uncertainty as epistemic."""
    few, many = evidence(1.5, 1.5), evidence(1500, 1500)
    assert few.epistemic > 0.1 and many.epistemic < 1e-3
    assert many.aleatoric == pytest.approx(math.log(2), abs=1e-3)


@pytest.mark.parametrize(("alpha", "beta"), [(0.5, 0.5), (0.5, 300.5), (40, 2)])
def test_the_interval_is_equal_tailed(alpha: float, beta: float) -> None:
    low, high = evidence(alpha, beta).interval(0.9)
    assert [low.item(), high.item()] == pytest.approx(beta_distribution.ppf([0.05, 0.95], alpha, beta), abs=1e-9)


@pytest.mark.parametrize("rates", ["prior", "uniform"])
def test_the_interval_covers_the_true_rate(rates: str) -> None:
    random = np.random.default_rng(7)
    chance = random.beta(0.5, 0.5, 2000) if rates == "prior" else random.uniform(0.05, 0.95, 2000)
    y = torch.as_tensor(random.random((2000, 40)) < chance[:, None]).long()
    low, high = BetaEvidenceHead().counts(y, whole(y)).interval()
    covered = ((low.numpy() <= chance) & (chance <= high.numpy())).mean()
    assert 0.93 <= covered <= 0.97


def test_what_is_masked_may_be_anything() -> None:
    y, mask = torch.tensor([[1.0, 0.0, 1.0]]), torch.tensor([[True, True, True, False, False]])
    padded = torch.cat([y, torch.tensor([[float("nan"), -7.0]])], dim=1)
    head = BetaEvidenceHead()
    assert head.counts(padded, mask, torch.where(mask, 1.0, torch.nan)) == head.counts(y, whole(y))


def test_wrong_evidence_is_refused() -> None:
    y = torch.tensor([[0, 1]])
    with pytest.raises(InputError, match="0 and 1"):
        BetaEvidenceHead().counts(y + 1, whole(y))
    with pytest.raises(InputError, match="negative"):
        BetaEvidenceHead().counts(y, whole(y), torch.tensor([[1.0, -1.0]]))
    with pytest.raises(InputError, match="prior"):
        BetaEvidenceHead((0.0, 1.0))


def test_the_density_of_cells_gives_their_counts() -> None:
    cells = torch.randint(0, 5, (400,), generator=seeded(1))
    y = (torch.rand(400, generator=seeded(2)) < 0.1 + 0.2 * cells).long()
    size = torch.bincount(cells).double()
    density, rate = (size / 400).log(), torch.bincount(cells, y.double()) / size
    head = BetaEvidenceHead()
    head.anchor(density[cells])
    head.scale.copy_(torch.stack([math.log(400) + head.centre, torch.ones(()).double()]))
    counted = head.counts(y.expand(5, -1), cells == torch.arange(5)[:, None])
    assert (head(density, rate).alpha - counted.alpha).abs().max() < 1e-9
    assert (head(density, rate).beta - counted.beta).abs().max() < 1e-9


def blobs(n: int = 600, width: int = 12) -> tuple[Tensor, Tensor]:
    """Two classes in six directions, and next to nothing in the other six."""
    y = torch.arange(n) % 2
    scale = torch.cat([torch.ones(6), torch.full((width - 6,), 0.05)])
    return torch.randn(n, width, generator=seeded(3)) * scale + 2 * y[:, None] * scale, y


@pytest.mark.parametrize("direction", [0, 11], ids=["along an axis", "where training never went"])
def test_far_from_data_only_the_prior_is_left(direction: int) -> None:
    z, y = blobs()
    density, head = FeatureDensity(12, rank=6), BetaEvidenceHead((1.0, 3.0))
    density.fit(z, y)
    head.anchor(density(z))
    head.scale.copy_(torch.tensor([math.log(50), 0.2]))
    far = z.mean(0) + 200 * torch.eye(12)[direction]
    near, lost = (head(density(point[None]), torch.tensor([0.9])) for point in (z.mean(0), far))
    assert near.concentration > 40 and near.mean > 0.8
    assert lost.concentration.item() == pytest.approx(4, abs=1e-6)
    assert lost.mean.item() == pytest.approx(0.25, abs=1e-6)
    assert [edge.item() for edge in lost.interval()] == pytest.approx(
        beta_distribution.ppf([0.025, 0.975], 1, 3), abs=1e-6
    )


def test_support_never_exceeds_the_rows_of_training() -> None:
    head = BetaEvidenceHead()
    assert head(torch.tensor([9.0]), torch.tensor([0.9])).concentration.item() == 1
    head.anchor(torch.zeros(30))
    head.scale.copy_(torch.tensor([800.0, 1.0]))
    assert head.support(torch.tensor([0.0, 1e4])).tolist() == [30, 30]


@pytest.mark.parametrize("truth", [2, 20])
def test_rows_that_share_a_chance_tell_how_much_evidence_there_was(truth: float) -> None:
    """Rows alone cannot: their p is right on average whatever the evidence, so its likelihood has no maximum."""
    random = np.random.default_rng(int(truth))
    p = random.uniform(0.1, 0.9, 200)
    cells, chance = np.repeat(np.arange(200), 20), random.beta(truth * p, truth * (1 - p))
    y = torch.as_tensor(random.random(4000) < chance[cells]).long()
    head = BetaEvidenceHead((1e-3, 1e-3))
    head.anchor(torch.zeros(5000))
    head.fit(torch.zeros(4000), torch.as_tensor(p[cells]), y, torch.as_tensor(cells))
    assert truth / 1.5 < head.support(torch.zeros(1)).item() < truth * 1.5


def test_the_scale_follows_where_predictions_fail() -> None:
    """Dense rows are predicted right, sparse ones at random: support must fall with the density."""
    density = torch.linspace(-6, 0, 2000)
    p, dense = torch.full((2000,), 0.95), density > -3
    y = (torch.rand(2000, generator=seeded(4)) < torch.where(dense, 0.95, 0.5)).long()
    head = BetaEvidenceHead()
    head.anchor(density)
    head.fit(density, p, y)
    assert head.support(torch.tensor(-5.0)) < 1 < 5 < head.support(torch.tensor(-1.0))


def test_the_density_is_that_of_two_gaussians() -> None:
    z, y = blobs(width=6)
    density = FeatureDensity(6)
    density.fit(z, y)
    means = torch.stack([z[y == label].mean(0) for label in (0, 1)]).double()
    covariance = ledoit_wolf((z.double() - means[y]).numpy(), assume_centered=True)[0]
    parts = [math.log(0.5) + multivariate_normal(mean.numpy(), covariance).logpdf(z.numpy()) for mean in means]
    np.testing.assert_allclose(density(z).numpy(), np.logaddexp(*parts), atol=1e-4)


def test_the_density_survives_dead_features_and_a_missing_class() -> None:
    z = torch.cat([torch.randn(50, 3, generator=seeded(5)), torch.zeros(50, 5)], dim=1)
    density = FeatureDensity(8, rank=4)
    density.fit(z, torch.ones(50))
    assert density(z).isfinite().all()


def test_neighbourhoods_are_small_and_lie_together() -> None:
    z = torch.rand(1000, 2, generator=seeded(6))
    cells = neighborhood_cells(z, 16)
    assert torch.bincount(cells).max() <= 16 and torch.bincount(cells).min() >= 8
    within = torch.stack([z[cells == cell].var(0).sum() for cell in cells.unique()]).mean()
    assert within < 0.05 * z.var(0).sum()


def test_moments_are_those_of_the_real_tokens() -> None:
    x, lengths = torch.randn(4, 9, 5, generator=seeded(8)), torch.tensor([9, 5, 2, 1])
    mask = torch.arange(9) < lengths[:, None]
    found = MaskedMoments()(torch.where(mask[..., None], x, torch.nan), mask)
    assert found.shape == (4, 11)
    for row, n in enumerate(lengths):
        real = x[row, :n]
        torch.testing.assert_close(found[row, :5], real.mean(0))
        torch.testing.assert_close(found[row, 5:10], real.std(0, correction=0), atol=2e-6, rtol=1e-5)
        assert found[row, 10].item() == pytest.approx(math.log1p(n))


def test_moments_tell_inputs_apart() -> None:
    """The reference implementation pools equal copies: spread 0, and one uncertainty for every input."""
    x, mask = torch.randn(1, 8, 4, generator=seeded(9)), torch.ones(1, 8, dtype=torch.bool)
    spreads = [MaskedMoments()(scale * x, mask)[0, 4:8].mean().item() for scale in (0.1, 1.0, 10.0)]
    assert spreads == pytest.approx([0.1 * spreads[1], spreads[1], 10 * spreads[1]], rel=1e-4)
    assert spreads[1] > 0.5


def test_moments_of_constants_and_of_nothing_have_gradients() -> None:
    x, mask = torch.ones(2, 3, 2, requires_grad=True), torch.tensor([[True] * 3, [False] * 3])
    found = MaskedMoments()(x, mask)
    found.sum().backward()
    assert x.grad is not None and x.grad.isfinite().all() and found.isfinite().all()
    assert found[1, :2].tolist() == [0, 0] and found[1, -1] == 0


def test_state_is_tensors_and_all_there_is(tmp_path: Path) -> None:
    z, y = blobs()
    modules = torch.nn.ModuleDict({"density": FeatureDensity(12, rank=6), "head": BetaEvidenceHead()})
    density, head = modules["density"], modules["head"]
    density.fit(z, y)
    head.anchor(density(z))
    head.fit(density(z), torch.full((600,), 0.7), y, neighborhood_cells(z))
    save_file(modules.state_dict(), tmp_path / "state.safetensors")
    others = torch.nn.ModuleDict({"density": FeatureDensity(12, rank=6), "head": BetaEvidenceHead((9.0, 9.0))})
    others.load_state_dict(load_file(tmp_path / "state.safetensors"))
    ours, theirs = (
        parts["head"](parts["density"](z), torch.rand(600, generator=seeded(1))) for parts in (modules, others)
    )
    assert ours.alpha.equal(theirs.alpha) and ours.beta.equal(theirs.beta)

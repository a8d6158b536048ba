"""Evidence from density: graded rather than all or nothing, honest far away, and unknown before it was fitted."""

from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from credence.models.expectation.feature_density import MAX_RANK_ROWS, FeatureDensity, RowFeatures, TrainingSupport

WIDTH = 60


def rows(n: int, seed: int) -> RowFeatures:
    """Features on a line of two classes, with many small directions that move together, as pooled vectors have."""
    generator = torch.Generator().manual_seed(seed)
    y = torch.randint(0, 2, (n,), generator=generator)
    main = torch.randn(n, 2, generator=generator).double() + 2.0 * y[:, None]
    shared = torch.randn(n, 1, generator=generator).double().exp() * torch.linspace(0.02, 0.1, WIDTH - 2)
    noise = 1e-3 * torch.randn(n, WIDTH - 2, generator=generator).double()
    return RowFeatures(torch.cat([main, shared + noise], dim=1), torch.sigmoid(2 * main.sum(1) - 4), y)


def fitted(held: int = 100) -> TrainingSupport:
    support = TrainingSupport(WIDTH)
    support.fit(rows(400, 0), rows(held, 1))
    return support


def test_nothing_is_known_before_rows_are() -> None:
    support = TrainingSupport(WIDTH)
    assert not support.known and fitted().known
    evidence, _ = support(rows(5, 2).z, rows(5, 2).p)
    assert evidence.concentration.tolist() == [1.0] * 5


def test_evidence_is_graded() -> None:
    """Not 1 or all rows: most rows lie in between, since directions that move together count once."""
    new = rows(500, 2)
    n = fitted()(new.z, new.p)[0].concentration - 1
    assert ((n > 4) & (n < 399.9)).double().mean() > 0.3
    assert n.quantile(0.9) > 3 * n.quantile(0.05)


def test_density_ranks_what_lies_outside_its_axes_by_its_free_dimensions() -> None:
    """With as many directions as features the log density of like rows would differ by hundreds of nats."""
    density = FeatureDensity(WIDTH, rank=2)
    density.fit(rows(400, 0).z, rows(400, 0).y)
    new = density(rows(400, 2).z)
    assert new.quantile(0.75) - new.quantile(0.25) < 10


def test_evidence_fades_with_distance_and_the_answer_becomes_the_prior() -> None:
    support, centre = fitted(), rows(1, 3).z
    away = torch.randn(WIDTH, generator=torch.Generator().manual_seed(4)).double()
    path = torch.cat([centre + step * away for step in (0.0, 3.0, 30.0, 3000.0)])
    evidence, p_value = support(path, torch.full((4,), 0.9).double())
    assert (evidence.concentration.diff() <= 0).all() and evidence.concentration[-1] < 1.01
    assert evidence.mean[-1] < 0.51 and evidence.epistemic[-1] > evidence.epistemic[0]
    assert (p_value.diff() <= 0).all() and float(p_value[-1]) == 1 / 101


def test_p_values_of_rows_like_the_held_out_ones_are_uniform() -> None:
    new = rows(4000, 5)
    p = fitted(1500)(new.z, new.p)[1]
    assert float(p.min()) >= 1 / (MAX_RANK_ROWS + 1) and float(p.max()) <= 1
    for share in (0.05, 0.25, 0.5, 0.9):
        assert abs((p <= share).double().mean() - share) < 0.04


def test_more_held_out_rows_than_ranks_are_thinned_evenly() -> None:
    support, held = fitted(2500), rows(2500, 1)
    ordered = support.density(held.z).sort().values
    assert support.held.isfinite().all() and support.held[0] == ordered[0] and support.held[-1] == ordered[-1]
    assert fitted(40).held.isfinite().sum() == 40


def test_all_that_was_fitted_is_saved(tmp_path: Path) -> None:
    support, other = fitted(), TrainingSupport(WIDTH)
    save_file({k: v.contiguous() for k, v in support.state_dict().items()}, f"{tmp_path}/support.safetensors")
    other.load_state_dict(load_file(f"{tmp_path}/support.safetensors"))
    new = rows(20, 6)
    for a, b in zip(support(new.z, new.p), other(new.z, new.p), strict=True):
        assert (a.alpha.equal(b.alpha) and a.beta.equal(b.beta)) if hasattr(a, "alpha") else a.equal(b)

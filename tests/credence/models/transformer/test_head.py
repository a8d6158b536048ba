"""Draws agree with the probability by quadrature, are the same weights for all rows, and spread as they should."""

import pytest
import torch
from torch import Tensor

from credence.models.expectation.variational_last_layer import logit_normal_mean
from credence.models.transformer.head import Head

WIDTH = 24


def head(sd: float = 1.0, variational: bool = True) -> Head:
    """A last layer whose logits have about this standard deviation."""
    torch.manual_seed(0)
    made = Head(WIDTH, 0.1, variational).eval()
    if made.variational is not None:
        with torch.no_grad():
            made.variational.log_sd.fill_(sd * WIDTH**-0.5).log_()
            made.variational.mean.mul_(max(sd, 1.0))
    return made


def rows(n: int = 200) -> Tensor:
    return torch.randn(n, WIDTH, generator=torch.Generator().manual_seed(1))


def drawn(made: Head, z: Tensor, draws: int = 50, seed: int = 0) -> Tensor:
    with torch.inference_mode():
        return made.draws(z, draws, torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("draws", [1, 2, 7, 50])
def test_the_mean_of_the_draws_is_the_probability_by_quadrature(draws: int) -> None:
    made, z = head(), rows()
    with torch.inference_mode():
        exact = logit_normal_mean(*made.moments(z))
    assert drawn(made, z, draws).shape == (draws, 200)
    assert (drawn(made, z, draws).mean(0) - exact).abs().max() < (1e-12 if draws == 1 else 1e-6)


@pytest.mark.parametrize(("sd", "off"), [(0.1, 1e-9), (2.0, 1e-4), (4.0, 1e-3), (10.0, 0.03)])
def test_wide_logits_keep_it_nearly(sd: float, off: float) -> None:
    made, z = head(sd), rows()
    with torch.inference_mode():
        exact = logit_normal_mean(*made.moments(z))
    found = drawn(made, z)
    assert ((found >= 0) & (found <= 1)).all()
    assert (found.mean(0) - exact).abs().max() < off


def test_plain_draws_would_be_further_off() -> None:
    """Fifty independent weight vectors miss the probability by a hundredth; that is noise a reader would see."""
    made, z = head(), rows()
    with torch.inference_mode():
        exact = logit_normal_mean(*made.moments(z))
        assert made.variational is not None
        plain = torch.sigmoid(made.variational.draw(z, 50, torch.Generator().manual_seed(0)).double()).mean(0)
    assert (plain - exact).abs().mean() > 1000 * (drawn(made, z).mean(0) - exact).abs().mean()


def test_draws_spread_as_the_logit_does() -> None:
    made, z = head(), rows()
    with torch.inference_mode():
        variance = made.moments(z)[1]
    assert (drawn(made, z).logit().var(0, correction=0) / variance - 1).abs().max() < 1e-4


def test_a_draw_is_one_opinion_on_all_rows() -> None:
    """Rows that are alike move together from draw to draw, opposite ones against each other, others by themselves."""
    made, z = head(), rows(2)
    near = torch.cat([z[:1], z[:1] + 0.01 * z[1:], -z[:1], z[1:]])
    together = torch.corrcoef(drawn(made, near).logit().T)[0]
    assert together[1] > 0.999 and together[2] < -0.999 and abs(together[3]) < 0.9


def test_only_seed_and_row_decide() -> None:
    made, z = head(), rows()
    assert drawn(made, z).equal(drawn(made, z))
    assert not drawn(made, z).equal(drawn(made, z, seed=1))
    assert (drawn(made, z[5:6])[:, 0] - drawn(made, z)[:, 5]).abs().max() < 1e-6


def test_a_point_has_one_draw() -> None:
    made, z = head(variational=False), rows()
    mean, variance = made.moments(z)
    assert (variance == 0).all() and made.variational is None
    assert torch.allclose(drawn(made, z), torch.sigmoid(mean.double())[None], atol=1e-12)
    assert made(z).squeeze(-1).equal(mean)


def test_mean_logits_are_those_of_the_last_layer() -> None:
    made, z = head(), rows()
    assert made(z).shape == (200, 1)
    assert made(z).squeeze(-1).allclose(made.moments(z)[0])


def test_weights_without_doubt_give_equal_draws() -> None:
    made, z = head(), rows()
    with torch.no_grad():
        assert made.variational is not None
        made.variational.log_sd.fill_(-40.0)
    found = drawn(made, z)
    assert (found - found[0]).abs().max() < 1e-6 and torch.isfinite(found).all()

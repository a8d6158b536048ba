"""A periodic artefact of position is found and removed; noise, trends and short rows are left alone."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from credence.core.errors import InputError
from credence.models.expectation.position_artifacts import HarmonicProjection

torch.set_num_threads(1)
Noise = Callable[[int, int, int, torch.Generator], Tensor]


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def places(x: Tensor) -> Tensor:
    return torch.arange(x.shape[1]).expand(len(x), -1)


def artefact(length: int, width: int, seed: int = 0, period: int = 64) -> Tensor:
    """Two harmonics of a period, in every feature its own: [length, width]."""
    angles = 2 * math.pi / period * torch.arange(length)[:, None]
    parts = [part(h * angles) for h in (1, 2) for part in (torch.sin, torch.cos)]
    return sum((part * torch.randn(width, generator=seeded(seed)) for part in parts), torch.zeros(length, width))


def content(rows: int = 64, length: int = 256, width: int = 32, seed: int = 1) -> Tensor:
    """Noise and a linear trend."""
    trend = torch.arange(length)[:, None] / length * torch.randn(width, generator=seeded(seed))
    return trend + torch.randn(rows, length, width, generator=seeded(seed + 1))


def fitted(x: Tensor, **settings: Any) -> HarmonicProjection:
    module = HarmonicProjection(x.shape[2], x.shape[1], **settings)
    module.observe(x, torch.ones(x.shape[:2], dtype=torch.bool), places(x))
    module.fit()
    return module


def test_the_artefact_goes_and_the_content_stays() -> None:
    clean, planted = content(), artefact(256, 32)
    module = fitted(clean + planted)
    found = module(clean + planted, places(clean))
    assert module.gate == 1
    assert (found - clean).square().mean().sqrt() <= 0.05
    assert (found - clean)[0].square().sum() / planted.square().sum() <= 1e-3


def test_power_at_its_frequencies_falls_to_that_of_the_content() -> None:
    clean, planted = content(), artefact(256, 32)
    module = fitted(clean + planted)

    def power(x: Tensor) -> Tensor:
        position = torch.arange(256) / 256
        mean = x.mean(0) - torch.stack(
            [torch.from_numpy(np.polyval(np.polyfit(position, f, 2), position)) for f in x.mean(0).T], 1
        )
        return torch.fft.rfft(mean, dim=0)[[4, 8]].abs().square().sum()

    left, before = power(module(clean + planted, places(clean))), power(clean + planted)
    assert left / before <= 1e-3
    assert left <= power(clean) < before / 100


def test_the_trend_stays() -> None:
    clean = content()
    module = fitted(clean + artefact(256, 32))
    kept = module(clean + artefact(256, 32), places(clean)).mean(0)
    correlations = [np.corrcoef(kept[:, f], clean.mean(0)[:, f])[0, 1] for f in range(32)]
    assert np.mean(correlations) > 0.95


def test_it_helps_on_rows_it_has_not_seen() -> None:
    module = fitted(content() + artefact(256, 32))
    fresh = content(seed=7)
    assert (module(fresh + artefact(256, 32), places(fresh)) - fresh).square().mean().sqrt() <= 0.05


def white(rows: int, length: int, width: int, generator: torch.Generator) -> Tensor:
    return torch.randn(rows, length, width, generator=generator)


def smooth(rows: int, length: int, width: int, generator: torch.Generator) -> Tensor:
    """Tokens that resemble the one before: correlation 0.5."""
    x = white(rows, length, width, generator)
    for place in range(1, length):
        x[:, place] += 0.5 * x[:, place - 1]
    return x


def fading(rows: int, length: int, width: int, generator: torch.Generator) -> Tensor:
    """The first tokens are unlike the others, as those of sentences are."""
    start = 2 * torch.exp(-torch.arange(length) / 10)[:, None] * torch.randn(width, generator=generator)
    return white(rows, length, width, generator) + start


def alarms(noise: Noise, runs: int, length: int = 128, width: int = 8) -> float:
    return np.mean([fitted(noise(8, length, width, seeded(run))).gate.item() for run in range(runs)]).item()


def test_white_noise_raises_an_alarm_in_one_case_of_a_hundred() -> None:
    """The rate is the level itself: 3 standard errors of 1 % over 1,000 runs."""
    assert alarms(white, 1000) <= 0.01 + 3 * math.sqrt(0.01 * 0.99 / 1000)
    assert alarms(white, 200, length=64) <= 0.03


@pytest.mark.parametrize("noise", [smooth, fading])
def test_what_is_smooth_is_not_taken_for_periodic(noise: Noise) -> None:
    """Against white noise these would raise an alarm in nearly every case."""
    assert alarms(noise, 60, length=256) <= 0.1


@pytest.mark.parametrize("seed", range(5))
def test_a_faint_artefact_is_found(seed: int) -> None:
    """One of a thirtieth of the noise, in 64 rows."""
    assert fitted(content(seed=10 * seed) + 0.025 * artefact(256, 32, seed=seed)).gate == 1


@pytest.mark.parametrize("length", [8, 63])
def test_rows_shorter_than_the_period_are_left_alone(length: int) -> None:
    x = content(length=length) + artefact(length, 32)
    module = fitted(x)
    assert module.gate == 0
    assert module(x, places(x)).equal(x)


def test_periods_that_fit_are_treated_beside_one_that_does_not() -> None:
    x = content(length=96) + artefact(96, 32, period=16)
    module = fitted(x, periods=(16, 128))
    assert module.gate == 1
    assert (module(x, places(x)) + artefact(96, 32, period=16) - x).square().mean().sqrt() <= 0.1
    long = torch.tensor([period == 128 for period in module.frequencies.values()]).repeat_interleave(2)
    assert long.any() and (module.coefficients[long] == 0).all()


def test_harmonics_that_two_periods_share_are_counted_once() -> None:
    module = HarmonicProjection(4, 256, periods=(64, 32), harmonics=2)
    assert sorted(float(f) * 64 for f in module.frequencies) == [1, 2, 4]


def test_it_sees_positions() -> None:
    """The reference implementation gives f(x)[order] = f(x[order]) to the bit: it cannot see a position."""
    x = content(rows=4) + artefact(256, 32)
    module, order = fitted(content() + artefact(256, 32)), torch.randperm(256, generator=seeded(3))
    assert (module(x, places(x))[:, order] - module(x[:, order], places(x))).abs().max() > 1


def test_the_projection_goes_on_beyond_what_was_seen() -> None:
    module = fitted(content() + artefact(256, 32))
    x = artefact(400, 32)[None]
    assert module(x, places(x)).square().mean().sqrt() < 0.05


def test_padding_is_neither_observed_nor_in_the_way() -> None:
    x = content() + artefact(256, 32)
    lengths = torch.randint(100, 257, (64, 1), generator=seeded(4))
    mask = torch.arange(256) < lengths
    ours, theirs = HarmonicProjection(32, 256), HarmonicProjection(32, 256)
    ours.observe(x, mask, places(x))
    theirs.observe(torch.where(mask[..., None], x, torch.nan), mask, torch.where(mask, places(x), -1))
    ours.fit()
    theirs.fit()
    assert ours.gate == 1 and ours.coefficients.equal(theirs.coefficients)
    padded = torch.where(mask, places(x), -1)
    assert (ours(x, padded) - ours(x, places(x)))[mask].abs().max() < 1e-5


def test_old_batches_fade() -> None:
    module = HarmonicProjection(32, 256, fading=0.5)
    x, mask = content(), torch.ones(64, 256, dtype=torch.bool)
    for batch in [x + artefact(256, 32, seed=1)] + [x + artefact(256, 32, seed=2)] * 12:
        module.observe(batch, mask, places(x))
    module.fit()
    assert (module(x + artefact(256, 32, seed=2), places(x)) - x).square().mean().sqrt() <= 0.05


def test_nothing_is_removed_before_anything_is_known() -> None:
    x = content(rows=2)
    module = HarmonicProjection(32, 256)
    assert module(x, places(x)).equal(x)
    module.fit()
    assert module.gate == 0


def test_wrong_settings_are_refused() -> None:
    with pytest.raises(InputError, match="period"):
        HarmonicProjection(4, 32, periods=(2,))
    with pytest.raises(InputError, match="longest"):
        HarmonicProjection(32, 100).observe(content(), torch.ones(64, 256, dtype=torch.bool), places(content()))


def test_state_survives_a_file(tmp_path: Path) -> None:
    x = content() + artefact(256, 32)
    module, other = fitted(x), HarmonicProjection(32, 256)
    save_file(module.state_dict(), tmp_path / "state.safetensors")
    other.load_state_dict(load_file(tmp_path / "state.safetensors"))
    assert other(x, places(x)).equal(module(x, places(x)))


def windows(confounded: float, seed: int, rows: int = 4000) -> tuple[Tensor, Tensor, Tensor]:
    """Rows of 16 tokens from anywhere in 256 positions; `confounded` of them stand in the half of their label."""
    generator = seeded(seed)
    y = torch.randint(0, 2, (rows,), generator=generator)
    anywhere = torch.randint(0, 240, (rows,), generator=generator)
    period, place = (torch.randint(0, most, (rows,), generator=generator) for most in (4, 32))
    chosen = (64 * period + place + 32 * (1 - y)).clamp(max=240)
    start = torch.where(torch.rand(rows, generator=generator) < confounded, chosen, anywhere)
    signal = 0.4 * torch.randn(2, generator=seeded(9)) * y[:, None]
    return signal[:, None] + torch.randn(rows, 16, 2, generator=generator), start[:, None] + torch.arange(16), y


@pytest.mark.parametrize("confounded", [0.5, 0.8])
def test_a_classifier_no_longer_learns_where_instead_of_what(confounded: float) -> None:
    (x, at, y), (fresh, there, truth) = windows(confounded, seed=1), windows(0.0, seed=2)
    planted, mask = artefact(256, 2, seed=5), torch.ones(x.shape[:2], dtype=torch.bool)

    def accuracy(train: Tensor, test: Tensor) -> float:
        return LogisticRegression().fit(train.mean(1), y).score(test.mean(1), truth)

    def debiased(labels: Tensor | None) -> float:
        module = HarmonicProjection(2, 256)
        module.observe(x + planted[at], mask, at, labels)
        module.fit()
        return accuracy(module(x + planted[at], at), module(fresh + planted[there], there))

    clean = accuracy(x, fresh)
    assert accuracy(x + planted[at], fresh + planted[there]) < clean - 0.05
    assert debiased(y) >= clean - 0.01
    assert debiased(None) < clean - 0.02

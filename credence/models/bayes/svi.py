"""Hierarchical logistic regression in Pyro, by variational inference on minibatches. Imported only while fitting."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyro
import pyro.distributions as dist
import torch
from pyro.infer import SVI, Trace_ELBO
from pyro.infer.autoguide import AutoLowRankMultivariateNormal, AutoNormal
from torch import Tensor, nn
from tqdm import tqdm

from credence.model import Labels
from credence.models.bayes.posterior import LearnedFeatures, NumericArray, Posterior
from credence.models.training.rng import seeded
from credence.statistics.uncertainty import Array

MAX_LEARNING_RATE, MIN_LEARNING_RATE, MAX_GRADIENT_NORM = 0.02, 0.0002, 10.0
PROGRESS_DELAY_SECONDS = 3.0
MAX_CURVE_POINTS = 100
GUIDES: dict[str, Callable[..., Any]] = {"normal": AutoNormal, "low_rank": AutoLowRankMultivariateNormal}


@dataclass(frozen=True)
class SviSettings:
    """Settings of variational inference.

    Attributes:
        guide: A key of GUIDES.
        steps: Optimizer steps.
        batch_rows: Most rows per step.
        samples: Draws from the fitted guide.
        seed: Seed.
        extractor: Number of columns that a network learns; None for no network.
    """

    guide: str
    steps: int
    batch_rows: int
    samples: int
    seed: int
    extractor: int | None = None


class FeatureExtractor(nn.Module):
    """Learns `width` further columns, each tanh of a weighted sum of the given ones; a point estimate."""

    def __init__(self, columns: int, width: int) -> None:
        super().__init__()
        self.layer = nn.Linear(columns - 1, width)

    def forward(self, X: Tensor) -> Tensor:
        """Prepend the learned columns to X [rows, columns]; return [rows, width + columns]. The last column is ones."""
        return torch.cat([torch.tanh(self.layer(X[:, :-1])), X], 1)

    def features(self) -> LearnedFeatures:
        """Return the weights as numpy arrays."""
        weight, bias = (p.detach().double().numpy() for p in (self.layer.weight, self.layer.bias))
        return LearnedFeatures(weight.T.copy(), bias.copy())


@dataclass
class SviData:
    """Training data as tensors.

    Attributes:
        X: Columns, shape (rows, columns).
        group: Groups, one-hot, shape (rows, groups).
        y: Labels in {0, 1}, shape (rows,).
        batch_rows: Rows per step.
        extractor: Network that learns further columns, if any.
    """

    X: Tensor
    group: Tensor
    y: Tensor
    batch_rows: int
    extractor: FeatureExtractor | None = None

    @classmethod
    def of(cls, Z: Array, codes: NumericArray, y: Labels, batch_rows: int) -> "SviData":
        """Build from a design matrix (rows, columns), group numbers (rows,) and labels (rows,)."""
        one_hot = codes[:, None] == np.arange(codes.max() + 1)
        X, group, answers = (torch.as_tensor(np.asarray(part, np.float32)) for part in (Z, one_hot, y))
        return cls(X, group, answers, min(batch_rows, len(Z)))

    def columns(self) -> int:
        """Return the number of coefficients per group."""
        return self.X.shape[1] + (self.extractor.layer.out_features if self.extractor else 0)

    def read(self, rows: Tensor) -> Tensor:
        """Return the columns of these rows, learned ones first, [rows, columns()]."""
        return self.X[rows] if self.extractor is None else pyro.module("extractor", self.extractor)(self.X[rows])

    def rows(self) -> Any:
        """Return a Pyro plate that draws `batch_rows` row numbers."""
        return pyro.plate("rows", len(self.X), subsample_size=self.batch_rows)


def model(data: SviData) -> None:
    """Define the Pyro model for the rows of a step; prior and likelihood are those of `nuts.model`."""
    columns, groups = data.columns(), data.group.shape[1]
    mu = pyro.sample("mu", dist.Normal(torch.zeros(columns), 1.0).to_event(1))  # type: ignore[no-untyped-call]
    tau = pyro.sample("tau", dist.HalfNormal(torch.ones(columns)).to_event(1))
    z = pyro.sample("z", dist.Normal(torch.zeros(groups, columns), 1.0).to_event(2))  # type: ignore[no-untyped-call]
    with data.rows() as chosen:
        logits = ((data.read(chosen) @ (mu + tau * z).T) * data.group[chosen]).sum(-1)
        pyro.sample("y", dist.Bernoulli(logits=logits), obs=data.y[chosen])


def sample(Z: Array, codes: NumericArray, y: Labels, how: SviSettings) -> Posterior:
    """Fit a guide by stochastic variational inference (Hoffman et al. 2013) and draw from it.

    Args:
        Z: Design matrix, shape (rows, columns).
        codes: Group number of each row, shape (rows,).
        y: Labels in {0, 1}, shape (rows,).
        how: Guide, steps, draws and seed.

    Returns:
        The posterior; its curve `loss` is the negative ELBO per row in nats.
    """
    data = SviData.of(Z, codes, y, how.batch_rows)
    with seeded(how.seed, "variational"), pyro.get_param_store().scope(), _one_thread():
        data.extractor = FeatureExtractor(Z.shape[1], how.extractor) if how.extractor else None
        guide = GUIDES[how.guide](model)
        losses = _fitted(guide, data, how)
        mu, tau, z = _drawn(guide, data, how.samples)
    features = data.extractor.features() if data.extractor else None
    return Posterior(mu, tau, mu[:, None] + tau[:, None] * z, features=features, curves={"loss": losses})


@contextmanager
def _one_thread() -> Iterator[None]:
    """Use one torch thread inside the context: on such small steps two take four times the processor time."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _fitted(guide: Any, data: SviData, how: SviSettings) -> list[float]:
    """Fit the guide; return the loss per row in nats, averaged over at most MAX_CURVE_POINTS spans of steps."""
    decay = (MIN_LEARNING_RATE / MAX_LEARNING_RATE) ** (1 / how.steps)
    adam = pyro.optim.ClippedAdam({"lr": MAX_LEARNING_RATE, "lrd": decay, "clip_norm": MAX_GRADIENT_NORM})
    svi: Any = SVI(model, guide, adam, Trace_ELBO())  # type: ignore[no-untyped-call]
    losses = []
    steps = tqdm(
        range(how.steps), desc="  SVI", unit="step", delay=PROGRESS_DELAY_SECONDS, leave=False, file=sys.stderr
    )
    for _ in steps:
        losses.append(svi.step(data) / len(data.X))
    return [float(part.mean()) for part in np.array_split(losses, min(MAX_CURVE_POINTS, how.steps))]


def _drawn(guide: Any, data: SviData, samples: int) -> tuple[Array, Array, Array]:
    with torch.no_grad():
        drawn = [guide(data) for _ in range(samples)]
    mu, tau, z = (torch.stack([one[name] for one in drawn]).double().numpy() for name in ("mu", "tau", "z"))
    return mu, tau, z

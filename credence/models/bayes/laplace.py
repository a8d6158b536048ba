"""Bayesian logistic regression by the Laplace approximation, with the prior precision by marginal likelihood."""

from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_factor, cho_solve, solve_triangular
from scipy.optimize import minimize_scalar

from credence.model import Labels
from credence.statistics.uncertainty import Array, sigmoid

MAX_PRIOR_PRECISION, MIN_PRIOR_PRECISION = 1e5, 1e-4
INTERCEPT_PRECISION = 1e-4
MAX_NEWTON_STEPS, TOLERANCE = 100, 1e-10
MAX_STEP_HALVINGS = 30


@dataclass
class GaussianPosterior:
    """Weights ~ N(mode, H⁻¹).

    Attributes:
        mode: Shape (weights,); the last one is the intercept.
        root: Lower Cholesky factor of H, shape (weights, weights).
        precision: Prior precision of every weight but the intercept.
        evidence: Laplace approximation of log p(y | Z, precision), in nats.
    """

    mode: Array
    root: Array
    precision: float
    evidence: float

    def covariance(self) -> Array:
        """Return H⁻¹, shape (weights, weights)."""
        return np.asarray(cho_solve((self.root, True), np.eye(len(self.mode))))

    def sample(self, n: int, seed: int) -> Array:
        """Draw n weight vectors, shape (n, weights)."""
        noise = np.random.default_rng(seed).standard_normal((len(self.mode), n))
        return np.asarray(self.mode[:, None] + solve_triangular(self.root.T, noise, lower=False)).T


def fit_by_evidence(Z: Array, y: Labels) -> GaussianPosterior:
    """Fit under the prior precision in [1e-4, 1e5] with the highest evidence (MacKay 1992).

    Args:
        Z: Design matrix, shape (rows, weights); the last column is ones. The prior precision of the intercept is 1e-4.
        y: Labels in {0, 1}, shape (rows,).
    """
    warm = np.zeros(Z.shape[1])

    def loss(logarithm: float) -> float:
        nonlocal warm
        found = laplace_posterior(Z, y, float(np.exp(logarithm)), warm)
        warm = found.mode
        return -found.evidence

    bounds = (np.log(MIN_PRIOR_PRECISION), np.log(MAX_PRIOR_PRECISION))
    best = minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-3})
    return laplace_posterior(Z, y, float(np.exp(best.x)))


def laplace_posterior(Z: Array, y: Labels, precision: float, start: Array | None = None) -> GaussianPosterior:
    """Fit the Laplace approximation for a given prior precision (Bishop 2006, section 4.4; evidence by eq. 4.137).

    Args:
        Z: Design matrix, shape (rows, weights); the last column is ones.
        y: Labels in {0, 1}, shape (rows,).
        precision: Prior precision of every weight but the intercept.
        start: Initial weights of Newton's method, shape (weights,). Default: zeros.
    """
    prior = np.append(np.full(Z.shape[1] - 1, precision), INTERCEPT_PRECISION)
    mode = np.zeros(Z.shape[1]) if start is None else start
    for _ in range(MAX_NEWTON_STEPS):
        p = sigmoid(Z @ mode)
        slope = Z.T @ (p - y) + prior * mode
        step = cho_solve(cho_factor(_curvature(Z, p, prior), lower=True), slope)
        if float(slope @ step) < TOLERANCE:
            break
        mode = _line_search(Z, y, prior, mode, step)
    root = np.asarray(np.linalg.cholesky(_curvature(Z, sigmoid(Z @ mode), prior)), np.float64)
    evidence = -_loss(Z, y, prior, mode) + 0.5 * np.log(prior).sum() - np.log(np.diag(root)).sum()
    return GaussianPosterior(mode, root, precision, float(evidence))


def _curvature(Z: Array, p: Array, prior: Array) -> Array:
    return np.asarray((Z * (p * (1 - p))[:, None]).T @ Z + np.diag(prior))


def _loss(Z: Array, y: Labels, prior: Array, weights: Array) -> float:
    z = Z @ weights
    return float((np.logaddexp(0.0, z) - y * z).sum() + 0.5 * (prior * weights**2).sum())


def _line_search(Z: Array, y: Labels, prior: Array, mode: Array, step: Array) -> Array:
    """Take the Newton step, halved until the loss does not rise."""
    before = _loss(Z, y, prior, mode)
    for halving in range(MAX_STEP_HALVINGS):
        moved = mode - step / 2**halving
        if _loss(Z, y, prior, moved) <= before:
            return np.asarray(moved)
    return mode

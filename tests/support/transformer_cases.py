"""Rows and small transformers that several tests share."""

from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from credence.core.registry import ModelSpec
from credence.model import Labels
from credence.models.kinds.bayesian_transformer import BayesianTransformer
from credence.models.training import Batch, seeded
from credence.models.transformer.embeddings import TokenBatch
from credence.models.transformer.network import ExpectationTransformer

torch.set_num_threads(1)
WORDS = np.array(["plot", "the", "a", "film", "long", "actor", "was", "seen"])


def reviews(n: int, seed: int = 0) -> tuple[pd.DataFrame, Labels]:
    """Texts of a few sentences with a number each; one word gives the answer away."""
    rng = np.random.default_rng(seed)
    y = np.append([0, 1], rng.integers(0, 2, n - 2))
    told = [". ".join(_sentence(rng, answer) for _ in range(rng.integers(2, 5))) + "." for answer in y]
    return pd.DataFrame({"text": told}), y


def _sentence(rng: np.random.Generator, answer: int) -> str:
    words = [*rng.choice(WORDS, 3), ["awful", "splendid"][answer] if rng.random() < 0.6 else "so", rng.integers(100)]
    return " ".join(map(str, words))


def table(n: int, seed: int = 0) -> tuple[pd.DataFrame, Labels]:
    """Numbers with holes, a category and a date; two of them bear on the answer."""
    rng = np.random.default_rng(seed)
    size, colour = rng.normal(size=n), rng.choice(np.array(["red", "blue", None], dtype=object), n)
    X = pd.DataFrame(
        {
            "size": np.where(rng.random(n) < 0.1, np.nan, size),
            "noise": rng.normal(size=n),
            "colour": colour,
            "since": pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 700, n), unit="D"),
            "group": rng.choice(["north", "south"], n).astype(object),
        }
    )
    odds = 3 * size + np.where(colour == "red", 1.5, -1.0)
    return X, (rng.random(n) < 1 / (1 + np.exp(-odds))).astype(np.int64)


def sums(n: int, seed: int) -> tuple[pd.DataFrame, Labels]:
    """Sums, half of them right and the others one too much."""
    rng = np.random.default_rng(seed)
    a, b, y = *rng.integers(10, 9000, (2, n)), rng.integers(0, 2, n)
    told = [f"{one} + {other} = {one + other + (not right)}" for one, other, right in zip(a, b, y, strict=True)]
    return pd.DataFrame({"text": told}), y


def small(**parameters: Any) -> BayesianTransformer:
    """Not learned yet, and quick to learn."""
    few = {"width": 16, "layers": 1, "heads": 2, "epochs": 2, "batch_rows": 16, "samples": 10}
    model = ModelSpec(kind="bayesian_transformer", **(few | parameters)).build()
    assert isinstance(model, BayesianTransformer)
    return model


@cache
def learned(on: str, **parameters: Any) -> BayesianTransformer:
    """A small one that has learned reviews or tables; the same object to all who ask, so leave it as it is."""
    X, y = (reviews if on == "text" else table)(120)
    model = small(**parameters).fit(X, y)
    assert isinstance(model, BayesianTransformer)
    return model


def fresh(on: str, **parameters: Any) -> tuple[ExpectationTransformer, Batch]:
    """A module with its first weights, in evaluation mode, and a batch with answers for it."""
    X, y = (reviews if on == "text" else table)(24)
    model = small(**parameters)
    reader = model._read(X)
    with seeded(0):
        module = model._build(reader)
    assert isinstance(module, ExpectationTransformer)
    columns = {**reader.columns(X), "label": torch.as_tensor(y)}
    ragged = {name: column for name, column in columns.items() if not isinstance(column, Tensor)}
    assert set(ragged) <= {"words", "numbers"}
    model._reader = reader
    return module.eval(), model._rows(X, y).batch(range(len(X)))


def turned(tokens: TokenBatch, order: Tensor) -> TokenBatch:
    """The same tokens in another order, in all rows; the places stay, so that each token takes another one."""
    return TokenBatch(tokens.x[:, order], tokens.mask[:, order], tokens.positions, tokens.segments[:, order])

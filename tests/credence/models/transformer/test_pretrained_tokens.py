"""The Bayesian transformer on what a pretrained encoder has read."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from credence.core.errors import InputError
from credence.core.registry import ModelSpec
from credence.model import Model
from credence.models.kinds.bayesian_transformer import BayesianTransformer
from credence.models.pretrained.checkpoint import load_checkpoint
from tests.support.pretrained_cases import tiny
from tests.support.transformer_cases import reviews, small, sums, table


def pretrained(**parameters: Any) -> BayesianTransformer:
    return small(**{"checkpoint": tiny(), "longest": 64, **parameters})


def test_it_learns_from_what_the_encoder_made_of_pieces() -> None:
    X, y = reviews(400)
    model = pretrained(epochs=12, learning_rate=1e-2, freeze=0).fit(X, y)
    fresh, answers = reviews(200, seed=1)
    told = fresh["text"].str.contains("awful|splendid").to_numpy()
    assert ((model.draws(fresh).mean(0) > 0.5) == answers)[told].mean() > 0.9


def test_the_first_token_carries_the_relations_of_the_numbers() -> None:
    def right(relations: bool) -> float:
        model = pretrained(epochs=8, learning_rate=1e-2, relations=relations).fit(*sums(300, 0))
        X, y = sums(200, 1)
        return float(((model.draws(X).mean(0) > 0.5) == y).mean())

    assert right(True) > 0.95 and right(False) < 0.7


PARTS = ("embeddings", "layer.0", "layer.1")


@pytest.mark.parametrize(("freeze", "same"), [(None, PARTS), (1, PARTS[:2]), (0, ())])
def test_what_is_frozen_stays_as_it_was(freeze: int | None, same: tuple[str, ...]) -> None:
    before = load_checkpoint(tiny(), 64).encoder.state_dict()
    module = pretrained(freeze=freeze).fit(*reviews(60))._network.tokens.encoder
    assert isinstance(module, torch.nn.Module)
    after = module.body.state_dict()
    assert tuple(part for part in PARTS if _same(before, after, part)) == same


def _same(before: dict[str, torch.Tensor], after: dict[str, torch.Tensor], part: str) -> bool:
    return all(torch.equal(before[name], after[name]) for name in before if part in name)


def test_a_frozen_encoder_drops_no_features_while_the_layers_above_learn() -> None:
    model = pretrained().fit(*reviews(60))
    module = model._network.train()
    assert module.encoder.training and not module.tokens.encoder.training
    rows = model._rows(reviews(8)[0]).batch(range(8))
    assert torch.equal(module.tokens(rows).x, module.tokens(rows).x)


def test_a_text_is_answered_the_same_alone_and_among_others() -> None:
    X, y = reviews(120)
    model = pretrained().fit(X, y)
    long = pd.concat([X.head(9), pd.DataFrame({"text": ["", "film " * 500, "🙂\0"]})], ignore_index=True)
    draws = model.draws(long)
    alone = np.concatenate([model.draws(long.iloc[[i]]) for i in range(len(long))], axis=1)
    np.testing.assert_allclose(alone, draws, atol=1e-5)


def test_a_saved_model_needs_no_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    X, y = reviews(80)
    model = pretrained().fit(X, y)
    model.save(tmp_path)
    monkeypatch.setattr(
        "credence.models.pretrained.checkpoint.locate_checkpoint", lambda name: pytest.fail(f"{name} was looked for")
    )
    again = Model.load(tmp_path)
    assert np.array_equal(again.draws(X), model.draws(X))
    assert all(
        np.array_equal(again.row_diagnostics(X)[name], found) for name, found in model.row_diagnostics(X).items()
    )
    assert {file.suffix for file in tmp_path.iterdir()} == {".json", ".safetensors"}


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"checkpoint": "minilm", "orders": "exact"}, "has read the text in its order; set orders: auto"),
        ({"checkpoint": "minilm", "orders": "average", "permutations": 4}, "has read the text in its order"),
        ({"freeze": 2}, "freeze 2 without a checkpoint: set checkpoint, or leave freeze out"),
    ],
)
def test_wrong_parameters_are_refused_in_a_sentence(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        ModelSpec(kind="bayesian_transformer", **wrong).build()


def test_columns_are_not_for_an_encoder_of_texts() -> None:
    with pytest.raises(InputError, match="reads texts, and this task has columns; leave checkpoint out"):
        pretrained().fit(*table(40))


def test_without_a_checkpoint_transformers_are_not_imported() -> None:
    said = "import sys, credence.models.kinds.bayesian_transformer; print('transformers' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", said], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"

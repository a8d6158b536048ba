"""The engine learns, repeats itself bit by bit, stops in time, and says what is wrong in one sentence."""

import math
import re
from pathlib import Path

import numpy as np
import pytest
import torch

from credence.core.errors import InputError
from credence.models.training import Batch, Epoch, History, Loss, PaddedRows, Trainable, seeded, train
from credence.models.training import engine as engine_module
from credence.models.training.device import chosen_device, chosen_precision
from credence.models.training.optimizer import Optimizer, learning_rate_at
from tests.support.training_cases import Bag, Hungry, Spoilt, bag, bits, curve, encoded, settings, taught

CPU = torch.device("cpu")
LONG = {"epochs": 30, "learning_rate": 0.03}


def log_loss(module: Trainable, rows: PaddedRows) -> float:
    with torch.no_grad():
        return float(module.loss(rows.batch(range(len(rows)))).nll.double().mean())


def test_it_learns_and_leaves_the_best_weights_ready_to_answer() -> None:
    module, history = taught(**LONG)
    best = history.best
    assert best is not None and best.held_out is not None
    assert best.held_out < 0.6 * log_loss(bag(), encoded(60, seed=1))
    assert log_loss(module, encoded(60, seed=1)) == pytest.approx(best.held_out, rel=1e-6)
    assert best.number < len(history.epochs), "what was learned after the best epoch is forgotten"
    assert not module.training and history.epochs[-1].loss < history.epochs[0].loss


def test_it_stops_once_the_held_out_loss_gets_no_better() -> None:
    _, history = taught(**LONG, patience=2)
    assert history.best is not None
    assert history.stopped(settings(**LONG, patience=2)) == "patience"
    assert len(history.epochs) == history.best.number + 2 < 30
    _, whole = taught(epochs=2)
    assert (len(whole.epochs), whole.stopped(settings(epochs=2))) == (2, "epochs")
    assert whole.stopped(settings(epochs=3)) is None


def test_without_held_out_rows_all_epochs_are_learned() -> None:
    module = bag()
    history = train(module, encoded(100), None, settings(epochs=4, patience=1))
    assert len(history.epochs) == 4 and history.best is None
    assert log_loss(module, encoded(100)) < log_loss(bag(), encoded(100))
    assert "held_out" not in history.epochs[0].metrics()


def test_the_same_call_gives_the_same_bits_whatever_was_drawn_before() -> None:
    first, history = taught()
    torch.rand(7)
    again, repeated = taught()
    other, _ = taught(seed=1)
    assert bits(again) == bits(first) and curve(repeated) == curve(history)
    assert bits(other) != bits(first)


def test_the_callers_chance_is_left_alone() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3).tolist()
    torch.manual_seed(5)
    taught()
    assert torch.rand(3).tolist() == expected
    assert not torch.are_deterministic_algorithms_enabled()
    with seeded(1):
        one = torch.rand(3).tolist()
    with seeded(1):
        assert torch.rand(3).tolist() == one


def test_accumulated_passes_learn_what_one_pass_learns() -> None:
    whole, once = taught(module=bag(dropout=0, penalty=0.1), batch_rows=30)
    parts, thrice = taught(module=(module := bag(dropout=0, penalty=0.1)), batch_rows=30, accumulate=3)
    assert max(len(ids) for ids in module.asked) == 10
    assert np.allclose(curve(once), curve(thrice), atol=1e-6)
    assert [e.penalty for e in once.epochs] == pytest.approx([e.penalty for e in thrice.epochs], abs=1e-6)
    for a, b in zip(whole.parameters(), parts.parameters(), strict=True):
        assert torch.allclose(a, b, atol=1e-4)


def test_batches_are_of_like_length_and_each_row_is_read_once_an_epoch() -> None:
    taught(module=(module := bag()), epochs=1, batch_tokens=60)
    read = [ids for ids in module.asked if ids[0].startswith("row-0")]
    assert sorted(i for ids in read for i in ids) == sorted(encoded(100).ids)
    rows = encoded(100)
    widths = [rows.lengths[[rows.ids.index(i) for i in ids]].max() * len(ids) for ids in read]
    assert max(widths) <= 60 and len(read) > 7


@pytest.mark.parametrize(("decay", "middle", "end"), [("linear", 0.5, 0.0), ("cosine", 0.5, 0.0), ("none", 1.0, 1.0)])
def test_the_rate_warms_up_and_decays(decay: str, middle: float, end: float) -> None:
    chosen = settings(warmup=0.2, decay=decay, learning_rate=2.0)
    assert [learning_rate_at(chosen, done) for done in (0.0, 0.1, 0.2)] == pytest.approx([0, 1, 2])
    assert [learning_rate_at(chosen, done) for done in (0.6, 1.0)] == pytest.approx([2 * middle, 2 * end])
    assert learning_rate_at(settings(warmup=0, learning_rate=2.0), 0) == 2


def with_gradient(value: float, **changed: object) -> tuple[Bag, Optimizer]:
    module = bag()
    for p in module.parameters():
        p.grad = torch.full_like(p, value)
    return module, Optimizer(module, settings(**changed), CPU, "fp32")


def test_gradients_are_clipped_and_their_norm_is_told() -> None:
    module, optimiser = with_gradient(10.0, clip=0.5)
    numbers = sum(p.numel() for p in module.parameters())
    assert optimiser.step(0.5) == pytest.approx(10 * math.sqrt(numbers), rel=1e-5)
    left = math.sqrt(sum(float(p.grad.square().sum()) for p in module.parameters() if p.grad is not None))
    assert left == pytest.approx(0.5, rel=1e-3)
    module, optimiser = with_gradient(10.0, clip=None)
    optimiser.step(0.5)
    assert module.unread.grad is not None and module.unread.grad[0, 0] == 10


def test_matrices_decay_and_biases_do_not() -> None:
    module, optimiser = with_gradient(0.0, weight_decay=0.1, learning_rate=0.5, warmup=0, decay="none")
    before = {name: p.detach().clone() for name, p in module.named_parameters()}
    optimiser.step(0.0)
    after = dict(module.named_parameters())
    assert torch.allclose(after["head.weight"], before["head.weight"] * 0.95)
    assert torch.equal(after["head.bias"], before["head.bias"])


def test_a_penalty_is_learned_from_and_told_apart() -> None:
    plain, _ = taught(module=bag(penalty=0.0), **LONG)
    small, history = taught(module=bag(penalty=1.0), **LONG)
    assert small.head.weight.norm() < 0.5 * plain.head.weight.norm()
    assert history.epochs[0].penalty > history.epochs[-1].penalty > 0


@pytest.mark.parametrize(("what", "said"), [("loss", "the loss"), ("gradient", "the gradient")])
def test_a_loss_that_is_no_number_stops_the_run_and_names_the_batch(what: str, said: str, tmp_path: Path) -> None:
    with seeded(0):
        module = Spoilt("row-0-7", what)
    with pytest.raises(InputError) as stopped:
        taught(tmp_path, module, checkpoint_seconds=0)
    sentence = str(stopped.value)
    found = re.fullmatch(rf"{said} at epoch 1, step (\d+) is not a finite number, for the rows (.*?); .*", sentence)
    assert found and str(tmp_path) in sentence
    assert found[2] == "'row-0-7'" if what == "loss" else found[2].endswith("and 11 more")
    assert all(torch.isfinite(p).all() for p in module.parameters()), "the weights of before"
    kept = sorted(f.name for f in (tmp_path / "training").glob("*.json"))
    assert int(kept[-1][:9]) == int(found[1]) - 1, "the state just before the batch is kept"


def test_a_held_out_loss_that_is_no_number_stops_the_run_too() -> None:
    said = (
        "the held-out log-loss after epoch 1 is not a finite number, for the rows 'row-1-3'; the module's weights are"
    )
    with pytest.raises(InputError, match=said):
        taught(module=Spoilt("row-1-3"))


def test_a_rate_that_is_far_too_high_ends_in_a_sentence() -> None:
    with pytest.raises(InputError, match=r"is not a finite number.*and 11 more.*lower the learning_rate"):
        taught(learning_rate=1e6, epochs=10, clip=None, patience=10)


def test_a_gpu_that_is_not_there_is_said_in_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(
        InputError, match=r"device: cuda was asked for, and torch .* sees no GPU; set device: auto or cpu"
    ):
        taught(device="cuda")
    assert chosen_device(settings(device="auto")) == CPU


def test_each_process_has_a_gpu_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert chosen_device(settings(device="auto")) == torch.device("cuda", 1)
    assert chosen_device(settings(device="cpu")) == CPU
    monkeypatch.setenv("LOCAL_RANK", "2")
    with pytest.raises(InputError, match="process 3 on this machine needs a GPU, and there are 2"):
        chosen_device(settings(device="cuda"))


def test_auto_precision_is_what_the_device_is_built_for(monkeypatch: pytest.MonkeyPatch) -> None:
    gpu, auto = torch.device("cuda", 0), settings()
    assert chosen_precision(auto, CPU) == "fp32" and chosen_precision(settings(precision="fp16"), CPU) == "fp16"
    for modern, expected in ((True, "bf16"), (False, "fp16")):
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True, m=modern: m)
        assert chosen_precision(auto, gpu) == expected


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_half_precision_learns_much_the_same(precision: str) -> None:
    module, history = taught(module=bag(dropout=0), precision=precision, epochs=6)
    _, plain = taught(module=bag(dropout=0), epochs=6)
    assert history.precision == precision and plain.precision == "fp32"
    assert curve(history) != curve(plain)
    assert history.epochs[-1].held_out == pytest.approx(plain.epochs[-1].held_out, abs=0.01)
    assert {p.dtype for p in module.parameters()} == {torch.float32}


def test_half_precision_looks_for_its_scale_and_gives_up_on_gradients_without_any() -> None:
    module = bag()
    optimiser = Optimizer(module, settings(), CPU, "fp16")
    before, norms = bits(module), []
    while not norms or norms[-1] == 0:
        optimiser.scaled(torch.tensor(1.0))
        for p in module.parameters():
            p.grad = torch.full_like(p, math.inf)
        norms.append(optimiser.step(0.5))
    assert len(norms) == 18 and norms[-1] == math.inf and bits(module) == before
    assert optimiser.facts()["scale"] == 0.5


OUT_OF_MEMORY = [torch.OutOfMemoryError("CUDA out of memory"), MemoryError(), RuntimeError("can't allocate memory: …")]


@pytest.mark.parametrize("error", OUT_OF_MEMORY, ids=lambda e: type(e).__name__)
def test_out_of_memory_halves_the_batch_once_and_says_so(error: Exception, capsys: pytest.CaptureFixture[str]) -> None:
    with seeded(0):
        module = Hungry(most=8, error=error, dropout=0.0)
    _, history = taught(module=module)
    _, plain = taught(module=bag(dropout=0))
    assert np.allclose(curve(history), curve(plain), atol=1e-6), "each step still sees the whole batch"
    (note,) = history.notes
    assert note == "out of memory at epoch 1, step 1: from here on in passes of 8 rows instead of 16."
    assert note in capsys.readouterr().err


def test_out_of_memory_again_is_a_sentence() -> None:
    with pytest.raises(
        InputError, match="out of memory at epoch 1, step 1, also with 8 rows at a time; lower batch_rows"
    ):
        taught(module=Hungry(most=7))


def test_held_out_rows_may_run_out_of_memory_as_well() -> None:
    with seeded(0):
        module = Hungry(most=8, training_only=False, dropout=0.0)
    history = train(module, encoded(8), encoded(60, seed=1), settings())
    assert history.notes == [
        "out of memory on the held-out rows after epoch 1: from here on in passes of 8 rows instead of 16."
    ]


def test_another_error_is_nobodys_memory() -> None:
    with pytest.raises(RuntimeError, match="shapes"):
        taught(module=Hungry(most=8, error=RuntimeError("shapes")))


def test_a_loss_that_is_not_per_row_is_a_mistake_of_the_kind() -> None:
    class Mean(Bag):
        def loss(self, batch: Batch) -> Loss:
            return Loss(super().loss(batch).nll.mean())

    with pytest.raises(ValueError, match="loss of 16 rows has shape \\(\\); expected one number per row"):
        taught(module=Mean())


@pytest.mark.parametrize(("rows", "held_out"), [(0, 5), (5, 0)])
def test_nothing_to_learn_from_is_said(rows: int, held_out: int) -> None:
    with pytest.raises(InputError, match="no rows"):
        train(bag(), encoded(rows), encoded(held_out), settings())


def test_one_row_per_answer_and_rows_without_words_can_be_learned_from() -> None:
    empty = torch.tensor([], dtype=torch.long)
    rows = PaddedRows(["no", "yes"], {"tokens": [empty, empty], "label": torch.tensor([0.0, 1.0])})
    history = train(bag(), rows, rows, settings())
    assert history.epochs[-1].held_out == pytest.approx(math.log(2), abs=0.05)


def test_every_epoch_is_told_as_it_ends() -> None:
    told: list[Epoch] = []
    history = train(bag(), encoded(100), encoded(60, seed=1), settings(), watch=told.append)
    assert told == history.epochs and [e.number for e in told] == [1, 2, 3] and [e.step for e in told] == [7, 14, 21]
    assert set(told[0].metrics()) == {"loss", "penalty", "held_out", "learning_rate", "gradient_norm", "seconds"}
    assert 0 < told[0].seconds < told[1].seconds


def test_the_history_is_kept_as_json(tmp_path: Path) -> None:
    _, history = taught(tmp_path)
    assert History.read(tmp_path) == history and len(history.epochs) == 3


def test_a_long_run_shows_its_rate_and_the_time_to_go(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    taught()
    assert not capsys.readouterr().err, "a short run shows nothing"
    monkeypatch.setattr(engine_module, "PROGRESS_DELAY_SECONDS", 0.0)
    monkeypatch.setattr(engine_module, "LOG_SECONDS", 0.0)
    taught()
    assert re.search(
        r"Bag:.*\d+/300 \[.*<\d\d:\d\d, .*row/s, loss 0\.\d{4}, held-out 0\.\d{4} at best", capsys.readouterr().err
    )

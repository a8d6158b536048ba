"""Masks, orders, loops, positions and doubt, end to end: what the reference implementation ("there") gets wrong."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from credence.models.expectation.permutations import sample_permutations
from credence.models.training import Batch
from credence.models.transformer.embeddings import PERIOD, PositionArtifactFilter, TokenBatch
from credence.models.transformer.encoder import EncoderLayer, TokenEncoder
from credence.models.transformer.network import ExpectationTransformer, sinusoids
from tests.support.transformer_cases import fresh, turned

BOTH = ("text", "columns")
MODES = ("exact", "average", "off")


def features(module: ExpectationTransformer, batch: Batch) -> Tensor:
    with torch.inference_mode():
        return module.encode(batch)


def padded(batch: Batch, more: int, garbage: int = 0) -> Batch:
    """The same rows with so many more masked cells, and something in all masked ones."""
    columns = dict(batch.columns)
    for name in batch.lengths:
        mask, column = batch.mask(name), columns[name]
        shape = mask.shape + (1,) * (column.ndim - 2)
        filled = torch.where(mask.view(shape), column, torch.as_tensor(garbage, dtype=column.dtype))
        columns[name] = F.pad(filled, (0, 0) * (column.ndim - 2) + (0, more), value=garbage)
    return Batch(batch.ids, columns, batch.lengths)


@pytest.mark.parametrize("orders", MODES)
@pytest.mark.parametrize("loops", [1, 3])
def test_padding_changes_nothing_and_nothing_leaks_from_it(orders: str, loops: int) -> None:
    """There, changing masked tokens alone moves real ones by up to 1.84."""
    module, batch = fresh("text", orders=orders, loops=loops)
    plain, longer = features(module, batch), features(module, padded(batch, 17))
    assert (longer - plain).abs().max() < 1e-5
    number = module.tokens.number
    assert features(module, padded(batch, 17, garbage=number)).equal(longer), "what is masked is read"


@pytest.mark.parametrize("on", BOTH)
@pytest.mark.parametrize("orders", MODES)
def test_a_row_alone_is_read_as_in_a_batch(on: str, orders: str) -> None:
    module, batch = fresh(on, orders=orders)
    together = features(module, batch)
    for i in range(3):
        alone = {name: column[[i]] for name, column in batch.columns.items()}
        lengths = {name: length[[i]] for name, length in batch.lengths.items()}
        cut = {name: alone[name][:, : max(int(n), 1)] for name, n in lengths.items()}
        found = features(module, Batch([batch.ids[i]], alone | cut, lengths))
        assert (found[0] - together[i]).abs().max() < 1e-5


def spread(module: ExpectationTransformer, tokens: TokenBatch, blocks: int) -> float:
    """The sd of features over orders of the blocks behind the first token, at most over rows and features."""
    said = []
    for seed in range(6):
        places = sample_permutations("iid", torch.tensor([blocks]), 1, torch.Generator().manual_seed(seed))[0, 0]
        place = torch.where(tokens.segments >= 0, places[tokens.segments.clamp(min=0)], -1)
        order = (place[0] * 1000 + tokens.positions[0]).argsort()
        said.append(module.features(turned(tokens, order), 1))
    return float(torch.stack(said).std(0).max())


def row_of(module: ExpectationTransformer, batch: Batch) -> TokenBatch:
    """The tokens of the first row, without padding."""
    tokens = module.read(batch)
    real = tokens.mask[0].nonzero()[:, 0]
    return TokenBatch(*(part[:1, real] for part in (tokens.x, tokens.mask, tokens.positions, tokens.segments)))


@pytest.mark.parametrize("on", BOTH)
def test_exactly_treated_blocks_have_no_order(on: str) -> None:
    """To 1e-6, end to end, and not because the blocks were not seen: other modes tell the orders apart."""
    with torch.inference_mode():
        module, batch = fresh(on, orders="exact", layers=2)
        tokens = row_of(module, batch)
        assert spread(module, tokens, int(tokens.blocks)) < 1e-6
        module, batch = fresh(on, orders="off", layers=2)
        assert spread(module, row_of(module, batch), int(tokens.blocks)) > 1e-3


def test_words_within_a_sentence_keep_their_order_where_sentences_have_none() -> None:
    module, batch = fresh("text", orders="exact", layers=2)
    with torch.inference_mode():
        tokens = row_of(module, batch)
        swapped = torch.arange(tokens.x.shape[1])
        swapped[1:3] = torch.tensor([2, 1])
        moved = TokenBatch(tokens.x[:, swapped], tokens.mask, tokens.positions, tokens.segments)
        assert (module.features(moved, 1) - module.features(tokens, 1)).abs().max() > 1e-3


def test_orders_are_averaged_over_something() -> None:
    """There, the average over permutations equals plain attention to 3.6e-7, since positions move with their tokens."""
    module, batch = fresh("text", orders="average", permutations=8)
    with torch.inference_mode():
        said = module.outputs(batch)
    assert said.p.shape == (8, len(batch)) and said.z.shape[:2] == said.p.shape
    assert said.p.std(0).min() > 1e-5
    assert said.runs.tolist() == [8] * len(batch)


def test_learning_meets_another_order_each_time_and_answering_the_same() -> None:
    module, batch = fresh("text", orders="average", dropout=0.0)
    assert features(module, batch).equal(features(module, batch))
    module.train()
    assert not features(module, batch).equal(features(module, batch))


@pytest.mark.parametrize("on", BOTH)
def test_every_loop_is_a_run_through_the_layers(on: str) -> None:
    """There, k is computed and never used."""
    module, batch = fresh(on, loops=5, layers=2)
    runs = []
    for layer in module.encoder.layers:
        layer.register_forward_hook(lambda _m, args, _o: runs.append(len(args[0])))
    with torch.inference_mode():
        k = torch.tensor([1, 5, 2] * 8)
        module.features(module.read(batch), 1, k)
        assert sum(runs) == 2 * int(k.sum()) and len(runs) == 2 * 5
        runs.clear()
        said = module.outputs(batch)
    assert sum(runs) == 2 * int(said.runs.sum())


def test_learning_meets_every_number_of_loops() -> None:
    module, batch = fresh("columns", loops=3)
    module.train()
    torch.manual_seed(0)
    drawn = [module.encoder.steps(module.read(batch).mask) for _ in range(40)]
    assert {int(k[0]) for k in drawn} == {1, 2, 3}
    assert all((k == k[0]).all() and len(k) == len(batch) for k in drawn)


def test_another_number_of_loops_is_another_answer() -> None:
    module, batch = fresh("text", loops=4)
    once, twice = (module.loss_after(batch, torch.tensor(k)) for k in (1, 2))
    assert (once - twice).abs().min() > 1e-6


def test_the_text_decides() -> None:
    """There, the server answers for random tokens, whatever was asked."""
    module, batch = fresh("text")
    words = batch["words"].clone()
    words[:, 0] = words[:, 0].roll(1)
    other = features(module, Batch(batch.ids, {**batch.columns, "words": words}, batch.lengths))
    changed = words[:, 0] != batch["words"][:, 0]
    assert changed.any() and ((other - features(module, batch)).abs().amax(1) > 1e-4).equal(changed)


@pytest.mark.parametrize("on", BOTH)
def test_doubt_differs_from_row_to_row(on: str) -> None:
    """There, the uncertainty of all inputs is one number: 0.745, sd 0.0."""
    module, batch = fresh(on)
    with torch.inference_mode():
        spread = module.draws(module.outputs(batch).z, 50).std(0)
    assert spread.std() > 0.01 * spread.mean() > 0


def test_every_weight_learns() -> None:
    """There, the learned permutations have no gradient."""
    for on in BOTH:
        module, batch = fresh(on, orders="exact", loops=2, debias=False)
        module.train()
        nll, penalty = module.loss(batch)
        (nll.mean() + penalty).backward()
        idle = [name for name, p in module.named_parameters() if p.grad is None or not p.grad.abs().sum()]
        assert set(idle) <= {f"encoder.layers.0.attention.{p}" for p in ("together",)} | {"encoder.relevance.bias"}
        assert on == "columns" or "encoder.layers.0.attention.together" not in idle


def penalty(module: ExpectationTransformer, batch: Batch) -> float:
    return float(torch.as_tensor(module.loss(batch).penalty).detach())


def test_the_prior_follows_the_weights_while_learning_and_the_divergence_falls() -> None:
    module, batch = fresh("columns")
    last = module.head.variational
    assert last is not None
    before = penalty(module, batch)
    assert float(last.precision) == 1.0, "judging changes nothing"
    after = penalty(module.train(), batch)
    assert after < before and float(last.precision) > 1.0
    with torch.no_grad():
        last.mean.mul_(3.0)
    precision = float(last.precision)
    module.loss(batch)
    assert float(last.precision) < precision


def test_with_every_switch_off_a_layer_is_a_plain_one() -> None:
    torch.manual_seed(0)
    ours = EncoderLayer(16, 4, 0.0).eval()
    plain = nn.TransformerEncoderLayer(16, 4, 64, 0.0, activation="gelu", batch_first=True, norm_first=True).eval()
    att, other = ours.attention, "self_attn."
    names = {
        f"{other}in_proj_weight": att.project.weight,
        f"{other}in_proj_bias": att.project.bias,
        f"{other}out_proj.weight": att.combine.weight,
        f"{other}out_proj.bias": att.combine.bias,
        "linear1.weight": ours.widen.weight,
        "linear1.bias": ours.widen.bias,
        "linear2.weight": ours.narrow.weight,
        "linear2.bias": ours.narrow.bias,
        "norm1.weight": ours.before.weight,
        "norm1.bias": ours.before.bias,
        "norm2.weight": ours.between.weight,
        "norm2.bias": ours.between.bias,
    }
    plain.load_state_dict(names)
    x, mask = torch.randn(3, 7, 16), torch.arange(7) < torch.tensor([[7], [4], [1]])
    with torch.no_grad():
        assert (ours(x, mask) - plain(x, src_key_padding_mask=~mask))[mask].abs().max() < 1e-5
    size, theirs = (sum(p.numel() for p in m.parameters()) for m in (ours, plain))
    assert size <= 1.01 * theirs


def test_a_row_without_tokens_is_pooled() -> None:
    encoder = TokenEncoder(16, 1, 2, 0.0, 1).eval()
    mask = torch.tensor([[True, True], [True, False]])
    x = torch.randn(2, 2, 16)
    z = encoder(x, mask)
    assert z.shape == (2, encoder.features) and torch.isfinite(z).all()
    assert (z[1] - encoder(x[1:, :1], mask[1:, :1])[0]).abs().max() < 1e-5


def test_positions_are_told_apart() -> None:
    """There, the debiasing ignores its positions argument."""
    waves = sinusoids(600, 15)
    assert waves.shape == (600, 15)
    assert torch.cdist(waves[:, :14], waves[:, :14]).fill_diagonal_(9).min() > 0.1


def planted(rows: int, strength: float) -> TokenBatch:
    """Noise of 200 tokens a row with an artefact of the watched period."""
    generator = torch.Generator().manual_seed(0)
    places = torch.arange(201).expand(rows, -1)
    wave = strength * torch.sin(2 * torch.pi * places / PERIOD)[..., None]
    x = torch.randn(rows, 201, 8, generator=generator) + wave
    return TokenBatch(x, torch.ones(rows, 201, dtype=torch.bool), places, places - 1)


def power(x: Tensor) -> float:
    """How much of the period is in the mean over rows."""
    places = torch.arange(x.shape[1])
    return float((x.mean(0) * torch.sin(2 * torch.pi * places / PERIOD)[:, None]).mean(0).abs().max())


@pytest.mark.parametrize(("strength", "taken"), [(1.0, True), (0.0, False)])
def test_a_periodic_artefact_is_found_while_learning_and_taken_out(strength: float, taken: bool) -> None:
    artefacts, tokens = PositionArtifactFilter(8, 512, rows=64), planted(64, strength)
    y = torch.arange(64) % 2
    assert artefacts.train()(tokens, y).x.equal(tokens.x) != taken
    assert bool(artefacts.projection.gate) == taken and int(artefacts.since) == 0
    cleaned = artefacts.eval()(tokens, y).x
    assert int(artefacts.projection.seen.sum()) == 64 * 200, "it watches while answering, or the row's first token"
    assert power(cleaned) < 0.05 * power(tokens.x) if taken else cleaned.equal(tokens.x)


@pytest.mark.parametrize(("parameters", "watched"), [({"debias": True}, False), ({"debias": False}, False)])
def test_short_texts_are_not_watched(parameters: dict[str, Any], watched: bool) -> None:
    assert (fresh("text", **parameters)[0].artefacts is not None) == watched
    assert fresh("columns", **parameters)[0].artefacts is None

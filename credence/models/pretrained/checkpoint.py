"""Loading and validation of checkpoints: an encoder with all of its weights and a tokenizer that fits it.

Only safetensors are read. Code that comes with a checkpoint is never run (`trust_remote_code` is off).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError
from torch import nn
from transformers import AutoConfig, AutoModel, AutoTokenizer, PreTrainedConfig, PreTrainedModel
from transformers.models.auto.modeling_auto import MODEL_FOR_MASKED_LM_MAPPING_NAMES

from credence.core.errors import InputError
from credence.core.hashing import files_digest
from credence.models.pretrained.locations import locate_checkpoint, short_error, silence_hub_output
from credence.models.training import seeded

LOCAL: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
UNREADABLE = (OSError, ValueError, TypeError, KeyError, AttributeError, RuntimeError, StrictDataclassError)


@dataclass(frozen=True)
class PretrainedCheckpoint:
    """A loaded checkpoint.

    Attributes:
        config: Contents of config.json.
        tokenizer: Contents of tokenizer.json.
        origin: SHA-256 of the weight files, in hex.
        encoder: The encoder in fp32, without pooler.
    """

    config: dict[str, Any]
    tokenizer: str
    origin: str
    encoder: PreTrainedModel


def load_checkpoint(checkpoint: str, longest: int) -> PretrainedCheckpoint:
    """Load a checkpoint.

    Args:
        checkpoint: Folder, name on the Hugging Face Hub, or `minilm`.
        longest: Most word pieces per text that the encoder must read.

    Raises:
        InputError: The checkpoint is absent, damaged, not a text encoder, or reads fewer than `longest` pieces.
    """
    folder = locate_checkpoint(checkpoint)
    with silence_hub_output():
        config = _config(folder, checkpoint)
        encoder = _encoder(folder, checkpoint, config)
        tokenizer = _tokenizer(folder, checkpoint, encoder)
    _require_length(checkpoint, longest, encoder)
    described = {name: value for name, value in config.to_dict().items() if name != "_name_or_path"}
    origin = files_digest(sorted(folder.glob("model*.safetensors")))
    return PretrainedCheckpoint(described, tokenizer, origin, encoder)


def empty_encoder(config: dict[str, Any]) -> PreTrainedModel:
    """Build the encoder that a config.json describes, with placeholder weights."""
    with silence_hub_output(), seeded("weights that are still to be loaded"):
        described = AutoConfig.for_model(**config)
        return _without_pooler(AutoModel.from_config(described, trust_remote_code=False))  # type: ignore[no-untyped-call]


def _config(folder: Path, checkpoint: str) -> PreTrainedConfig:
    try:
        config: PreTrainedConfig = AutoConfig.from_pretrained(folder, **LOCAL)
    except UNREADABLE as error:
        raise _unreadable(checkpoint, "config.json", error) from None
    is_encoder = config.model_type in MODEL_FOR_MASKED_LM_MAPPING_NAMES and not config.is_encoder_decoder
    if not is_encoder or getattr(config, "is_decoder", False):
        raise InputError(
            f"checkpoint {checkpoint!r} is a {config.model_type}, which is not a text encoder; choose one that was "
            "trained by masked language modeling, such as a BERT, DistilBERT, RoBERTa, DeBERTa, MPNet or ModernBERT."
        )
    return config


def _encoder(folder: Path, checkpoint: str, config: PreTrainedConfig) -> PreTrainedModel:
    wanted: dict[str, Any] = {"use_safetensors": True, "dtype": torch.float32, "output_loading_info": True}
    try:
        encoder, loaded = AutoModel.from_pretrained(folder, config=config, **LOCAL, **wanted)
    except (*UNREADABLE, SafetensorError) as error:
        raise _unreadable(checkpoint, "model.safetensors", error) from None
    missing = sorted(name for name in loaded["missing_keys"] if "pooler" not in name)
    if missing:
        raise InputError(
            f"checkpoint {checkpoint!r} lacks {len(missing)} of the weights of a {config.model_type}, such as "
            f"{missing[0]}; its config.json and its model.safetensors belong to different models: take both from one."
        )
    return _without_pooler(encoder)


def _without_pooler(encoder: PreTrainedModel) -> PreTrainedModel:
    """Remove the pooler: its weights are not used, but would be stored, counted and decayed."""
    if isinstance(getattr(encoder, "pooler", None), nn.Module):
        encoder.register_module("pooler", None)
    return encoder


def _tokenizer(folder: Path, checkpoint: str, encoder: PreTrainedModel) -> str:
    try:
        found = AutoTokenizer.from_pretrained(folder, **LOCAL)
    except (*UNREADABLE, ImportError) as error:
        raise _unreadable(checkpoint, "tokenizer", error) from None
    if not found.is_fast or len(found) <= len(set(found.all_special_tokens)):
        raise InputError(
            f"checkpoint {checkpoint!r} has no tokenizer.json and no vocabulary to make one from; save its tokenizer "
            "beside it with save_pretrained."
        )
    known, embedded = max(found.get_vocab().values()) + 1, next(encoder.get_input_embeddings().parameters()).shape[0]
    if known > embedded:
        raise InputError(
            f"the tokenizer of checkpoint {checkpoint!r} has {known} pieces, and its weights have {embedded}; they "
            "belong to different models: take both from one."
        )
    return str(found.backend_tokenizer.to_str())


def _require_length(checkpoint: str, longest: int, encoder: PreTrainedModel) -> None:
    """Raise InputError if absolute position embeddings are fewer than `longest`; relative ones have no limit."""
    tables = [m for name, m in encoder.named_modules() if name.endswith("position_embeddings")]
    room = [t.num_embeddings - (t.padding_idx + 1 if t.padding_idx is not None else 0) for t in _tables(tables)]
    if room and longest > min(room):
        raise InputError(
            f"longest: {longest} is more than the {min(room)} pieces that checkpoint {checkpoint!r} reads; lower it."
        )


def _tables(modules: Iterable[nn.Module]) -> list[nn.Embedding]:
    return [m for m in modules if isinstance(m, nn.Embedding)]


def _unreadable(checkpoint: str, part: str, error: Exception) -> InputError:
    return InputError(
        f"the {part} of checkpoint {checkpoint!r} cannot be read ({short_error(error)}); fetch the checkpoint again, "
        "or choose another."
    )

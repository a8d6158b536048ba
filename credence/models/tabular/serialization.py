"""Storage of learned state: JSON for structure, npz for arrays, text for trees. Reading it runs no code."""

import importlib
import json
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np

from credence.core.errors import InputError

# Saved predictors hold these names; keep them when a class is renamed or moved.
STORED_CLASSES = {
    "Committee": "credence.models.tabular.ensembling:WeightedEnsemble",
    "Date": "credence.models.tabular.encoding:DateEncoder",
    "Encoding": "credence.models.tabular.encoding:TableEncoding",
    "Number": "credence.models.tabular.encoding:NumberEncoder",
    "OneHot": "credence.models.tabular.encoding:OneHotEncoder",
    "Target": "credence.models.tabular.encoding:MeanTargetEncoder",
    "Linear": "credence.models.tabular.fast_predict:LinearScorer",
    "Panel": "credence.models.tabular.fast_predict:ScorerSet",
    "Member": "credence.models.tabular:FoldModel",
    "Grove": "credence.models.tabular.trees:TreeDraws",
    "Trees": "credence.models.tabular.trees:TreeEnsemble",
}
STORED_NAMES = {path.replace(":", "."): name for name, path in STORED_CLASSES.items()}
MAX_INLINE_CHARACTERS = 2000


def dump(learned: Any, folder: Path) -> None:
    """Write learned state to an existing folder.

    `learned.json` holds the structure and points to `arrays.npz`, `<n>.txt` and `<n>.skops`.

    Args:
        learned: Objects of `STORED_CLASSES`, scikit-learn estimators, arrays and plain values, also in lists and dicts.
        folder: The folder.
    """
    arrays: dict[str, Any] = {}
    structure = _packed(learned, folder, arrays)
    (folder / "learned.json").write_text(json.dumps(structure))
    with (folder / "arrays.npz").open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)


def load(folder: Path) -> Any:
    """Read what `dump` wrote.

    Raises:
        InputError: A file names a type that is neither in `STORED_CLASSES` nor trusted by skops.
    """
    with np.load(folder / "arrays.npz", allow_pickle=False) as arrays:
        return _unpacked(json.loads((folder / "learned.json").read_text()), folder, arrays)


def _packed(value: Any, folder: Path, arrays: dict[str, Any]) -> Any:
    """Convert a value to JSON; the key `is` of every mapping names its type."""
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, str):
        return value if len(value) < MAX_INLINE_CHARACTERS else _beside(value, folder)
    if isinstance(value, np.ndarray):
        arrays[place := str(len(arrays))] = value
        return {"is": "array", "at": place}
    if isinstance(value, list):
        return [_packed(v, folder, arrays) for v in value]
    if isinstance(value, dict):
        return {"is": "dict", "of": {k: _packed(v, folder, arrays) for k, v in value.items()}}
    if is_dataclass(value) and (name := STORED_NAMES.get(_path(value))):
        parts = {f.name: _packed(getattr(value, f.name), folder, arrays) for f in fields(value) if f.init}
        return {"is": name, "of": parts}
    return _estimator(value, folder)


def _path(value: Any) -> str:
    return f"{type(value).__module__}.{type(value).__qualname__}"


def _beside(text: str, folder: Path) -> dict[str, str]:
    file = _free_name(folder, "txt")
    file.write_text(text)
    return {"is": "text", "at": file.name}


def _estimator(value: Any, folder: Path) -> dict[str, str]:
    import skops.io  # imports torch if it is installed; no class in STORED_CLASSES needs it

    file = _free_name(folder, "skops")
    skops.io.dump(value, file)
    return {"is": "estimator", "at": file.name}


def _free_name(folder: Path, ending: str) -> Path:
    return folder / f"{len(list(folder.glob(f'*.{ending}')))}.{ending}"


def _unpacked(value: Any, folder: Path, arrays: Any) -> Any:
    if isinstance(value, list):
        return [_unpacked(v, folder, arrays) for v in value]
    if not isinstance(value, dict):
        return value
    what = value["is"]
    if what == "array":
        return arrays[value["at"]]
    if what == "text":
        return (folder / value["at"]).read_text()
    if what == "estimator":
        return _trusted(folder / value["at"])
    parts = {k: _unpacked(v, folder, arrays) for k, v in value["of"].items()}
    return parts if what == "dict" else _class(what, folder)(**parts)


def _class(name: str, folder: Path) -> Any:
    if name not in STORED_CLASSES:
        raise InputError(
            f"{folder / 'learned.json'} holds a {name!r}; expected what credence wrote: {', '.join(STORED_CLASSES)}."
        )
    module, _, stored = STORED_CLASSES[name].partition(":")
    return getattr(importlib.import_module(module), stored)


def _trusted(file: Path) -> Any:
    import skops.io

    if untrusted := skops.io.get_untrusted_types(file=file):
        raise InputError(f"{file} holds a {untrusted[0]}, which is not trusted; expected a scikit-learn estimator.")
    return skops.io.load(file)

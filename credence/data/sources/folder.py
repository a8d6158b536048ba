"""Text files in one folder per label, as in the IMDB reviews: train/pos/0_9.txt or pos/0_9.txt."""

from pathlib import Path

import pandas as pd
from tqdm import tqdm

from credence.core.errors import InputError
from credence.data.sources._files import FileSource, decode, require_path
from credence.data.split import PART_ALIASES


class Folder(FileSource):
    """A folder of texts, with the columns text, label, split (if there are such folders) and row_id.

    `row_id` is the file's path without .txt. `encoding` is detected by default.
    """

    encoding: str | None = None

    def read(self) -> pd.DataFrame:
        """Read all texts.

        Raises:
            InputError: The path is not a folder, or has no two label folders with .txt files.
        """
        root = require_path(self.path)
        if not root.is_dir():
            raise InputError(
                f"{root} is a file; expected a folder of texts (files are read with csv, jsonl or parquet)."
            )
        parts = [d for d in _folders(root) if d.name.lower() in PART_ALIASES]
        answers = _answers(parts or [root])
        if len(answers) < 2:
            raise InputError(f"{root}: expected a folder of .txt files per answer, as in train/pos/*.txt or pos/*.txt.")
        files = [f for part in parts or [root] for answer in answers for f in sorted((part / answer).glob("*.txt"))]
        rows = [self._row(f, root) for f in tqdm(files, desc=str(root), unit=" files", disable=None)]
        return pd.DataFrame(rows) if parts else pd.DataFrame(rows).drop(columns="split")

    def _row(self, file: Path, root: Path) -> dict[str, str]:
        text = decode(file.read_bytes(), file, self.encoding)
        name = str(file.relative_to(root).with_suffix("").as_posix())
        return {"text": text, "label": file.parent.name, "split": file.parent.parent.name, "row_id": name}


def _folders(root: Path) -> list[Path]:
    return sorted(d for d in root.iterdir() if d.is_dir())


def _answers(parts: list[Path]) -> list[str]:
    """Return the label folders that all parts share; this excludes unlabelled texts such as train/unsup."""
    named = [{d.name for d in _folders(part) if any(d.glob("*.txt"))} for part in parts]
    return sorted(set.intersection(*named))

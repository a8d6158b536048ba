"""A folder stored byte for byte as an artifact."""

from pathlib import Path
from typing import Self


class Saved:
    """The files of a folder, byte for byte: a signed predictor must not be re-serialized.

    Args:
        files: Contents by relative path.
    """

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = files

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read all files below a folder."""
        return cls({str(f.relative_to(folder)): f.read_bytes() for f in sorted(folder.rglob("*")) if f.is_file()})

    def save(self, folder: Path) -> None:
        """Write the files below a folder."""
        for name, content in self.files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)

"""A folder as an artifact that is never written anew."""

from pathlib import Path
from typing import Self


class Saved:
    """A folder as it lies, byte for byte: what was signed must not be written anew."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = files

    @classmethod
    def load(cls, folder: Path) -> Self:
        """All files below a folder."""
        return cls({str(f.relative_to(folder)): f.read_bytes() for f in sorted(folder.rglob("*")) if f.is_file()})

    def save(self, folder: Path) -> None:
        """Write them below another one."""
        for name, content in self.files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)

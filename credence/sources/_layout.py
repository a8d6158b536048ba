"""What the first rows of a text table tell about all of it."""

from credence.kinds import Strict
from credence.sources._dialect import Dialect


class Layout(Strict):
    """How cells are spelled, what the columns are called, and where the data begins."""

    dialect: Dialect
    names: list[str]
    first_line: int
    declared: bool
    skipped: int

    def columns(self) -> list[str]:
        """A name for every column; nameless ones are counted."""
        return [name or f"unnamed_{i + 1}" for i, name in enumerate(self.names)]

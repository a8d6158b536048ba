"""Load a predictor without importing torch if its models do not need it: saves 200 MB and 2 s per worker."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from importlib.abc import MetaPathFinder
from pathlib import Path
from types import ModuleType

from bentos.packaging.requirements import kinds_in, third_party

NEEDS_TORCH = {"torch", "transformers", "pyro"}


def lazy_torch(folder: Path) -> AbstractContextManager[None]:
    """Hide torch while the predictor in `folder` is loaded, unless one of its model kinds imports torch itself.

    At import, skops walks through all of scikit-learn, whose array API layer imports torch if it is installed.
    """
    imported = third_party(f"credence.models.kinds.{kind}" for kind in kinds_in(folder))
    return nullcontext() if imported & NEEDS_TORCH else absent("torch")


@contextmanager
def absent(module: str) -> Iterator[None]:
    """Make a module that is not imported yet look uninstalled inside the block."""
    finder = _Absent(module)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)


class _Absent(MetaPathFinder):
    def __init__(self, module: str) -> None:
        self.module = module

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> None:
        if fullname == self.module:
            raise ModuleNotFoundError(f"{fullname} is not needed here.", name=fullname)

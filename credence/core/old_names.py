"""Import paths of version 0.1, resolved through the table `old_names.txt`.

ZenML stores the import path of every artifact's type, so a store written by version 0.1 needs them.
"""

import importlib
import sys
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_loader
from pathlib import Path
from types import ModuleType
from typing import Any

TABLE = Path(__file__).with_suffix(".txt")


@dataclass(frozen=True)
class MovedModule:
    """The new path of a module of version 0.1.

    `names` maps each renamed object to "new_name", or to "module:new_name" if it moved to another module.
    """

    old: str
    new: str
    names: dict[str, str]

    def get(self, name: str) -> Any:
        """Return the object that this module called `name`.

        Raises:
            AttributeError: Version 0.1 had no such name.
        """
        module, _, now = self.names.get(name, name).rpartition(":")
        return getattr(importlib.import_module(module or self.new), now)


@cache
def moved_modules() -> dict[str, MovedModule]:
    """Return every moved or changed module, by its path in version 0.1."""
    words = [line.split() for line in TABLE.read_text().splitlines()]
    return {old: MovedModule(old, new, dict(n.split("=", 1) for n in names)) for old, new, *names in words}


def old_attribute(module: str, name: str) -> Any:
    """Return what `module` called `name` in version 0.1; for `__getattr__` of a module that still exists.

    Raises:
        AttributeError: Version 0.1 had no such name.
    """
    moved = moved_modules().get(module)
    if moved is None or name not in moved.names:
        raise AttributeError(f"module {module!r} has no attribute {name!r}")
    target = moved.names[name] if ":" in moved.names[name] else f"{moved.new}:{moved.names[name]}"
    warnings.warn(f"{module}.{name} is now {target.replace(':', '.')}.", DeprecationWarning, stacklevel=3)
    return moved.get(name)


class OldModule(ModuleType):
    """Stand-in for a module of version 0.1; resolves its names to their new places."""

    def __init__(self, moved: MovedModule) -> None:
        super().__init__(moved.old, f"Now {moved.new}.")
        self._moved = moved

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self._moved.get(name)


class OldNames(MetaPathFinder, Loader):
    """Import finder for module paths of version 0.1; the last finder, so new imports cost nothing."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the spec of an old module, or None for any other name."""
        if fullname.partition(".")[0] not in ("credence", "bentos", "steps", "stacks"):
            return None
        known = fullname.removesuffix(".__init__") in moved_modules()
        return spec_from_loader(fullname, self, is_package=True) if known else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """Return a module that resolves names on access."""
        return OldModule(moved_modules()[spec.name.removesuffix(".__init__")])

    def exec_module(self, module: ModuleType) -> None:
        """Warn with the module's new path."""
        warnings.warn(f"{module.__name__}: {module.__doc__}", DeprecationWarning, stacklevel=2)


def install() -> None:
    """Register the finder, so that `import` finds the modules of version 0.1."""
    if not any(isinstance(finder, OldNames) for finder in sys.meta_path):
        sys.meta_path.append(OldNames())

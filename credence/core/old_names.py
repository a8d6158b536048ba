"""Import paths of version 0.1 keep working: `old_names.txt` says what each module and name is called now.

ZenML stores the import path of every artifact's type, so that a store written by version 0.1 needs them.
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
    """Where a module of version 0.1 went: `names` are those that changed, as "new_name" or "module:new_name"."""

    old: str
    new: str
    names: dict[str, str]

    def get(self, name: str) -> Any:
        """The object that this module called `name`. Raises AttributeError where there is none."""
        module, _, now = self.names.get(name, name).rpartition(":")
        return getattr(importlib.import_module(module or self.new), now)


@cache
def moved_modules() -> dict[str, MovedModule]:
    """Every module that was moved or had names changed, by its path in version 0.1."""
    words = [line.split() for line in TABLE.read_text().splitlines()]
    return {old: MovedModule(old, new, dict(n.split("=", 1) for n in names)) for old, new, *names in words}


def old_attribute(module: str, name: str) -> Any:
    """What `module` called `name` in version 0.1, for the `__getattr__` of a module that still exists.

    Raises AttributeError where version 0.1 had no such name.
    """
    moved = moved_modules().get(module)
    if moved is None or name not in moved.names:
        raise AttributeError(f"module {module!r} has no attribute {name!r}")
    target = moved.names[name] if ":" in moved.names[name] else f"{moved.new}:{moved.names[name]}"
    warnings.warn(f"{module}.{name} is now {target.replace(':', '.')}.", DeprecationWarning, stacklevel=3)
    return moved.get(name)


class OldModule(ModuleType):
    """Stands for a module of version 0.1 and finds its names where they are now."""

    def __init__(self, moved: MovedModule) -> None:
        super().__init__(moved.old, f"Now {moved.new}.")
        self._moved = moved

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self._moved.get(name)


class OldNames(MetaPathFinder, Loader):
    """Finds modules by their path in version 0.1. It is asked last, so that imports of today cost nothing."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The spec of an old module; None for every other name."""
        if fullname.partition(".")[0] not in ("credence", "bentos", "steps", "stacks"):
            return None
        known = fullname.removesuffix(".__init__") in moved_modules()
        return spec_from_loader(fullname, self, is_package=True) if known else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """A module that looks names up when they are asked for."""
        return OldModule(moved_modules()[spec.name.removesuffix(".__init__")])

    def exec_module(self, module: ModuleType) -> None:
        """Say once what the module is called now."""
        warnings.warn(f"{module.__name__}: {module.__doc__}", DeprecationWarning, stacklevel=2)


def install() -> None:
    """Let `import` find the modules of version 0.1."""
    if not any(isinstance(finder, OldNames) for finder in sys.meta_path):
        sys.meta_path.append(OldNames())

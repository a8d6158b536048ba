"""Choose a class by `kind` in YAML; a kind is the name of a file in its family's folder."""

import inspect
import pkgutil
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from credence.core.errors import InputError, did_you_mean, import_for

ROOT = Path(__file__).parents[2]
FAMILIES = {
    "models": "credence.models.kinds",
    "sources": "credence.data.sources",
    "providers": "credence.generation.providers",
}


class StrictModel(BaseModel):
    """A frozen section of YAML that rejects unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class KindSpec(BaseModel):
    """A `kind` in YAML with the parameters of that kind.

    `family` is one of `FAMILIES`: models, sources or providers.
    """

    model_config = ConfigDict(extra="allow", frozen=True)
    family: ClassVar[str]
    kind: str = Field(description="a file name without .py")

    @field_validator("kind")
    @classmethod
    def _kind_exists(cls, kind: str) -> str:
        _require_known(cls.family, kind)
        return kind

    def build(self) -> Any:
        """Import the kind's module with its libraries, and create the object.

        Raises:
            InputError: The kind is unknown, or a parameter is not valid.
        """
        try:
            return load_kind(self.family, self.kind)(**(self.model_extra or {}))
        except ValidationError as error:
            sentence = format_validation_error(error, load_kind(self.family, self.kind))
            raise InputError(f"{self.family} of kind {self.kind!r}: {sentence}") from None


class SearchSettings(StrictModel):
    """Limits of a hyper-parameter search: number of trials, seconds, and cross-validation folds."""

    trials: int = Field(20, ge=1, description="the most trials")
    seconds: float = Field(600, gt=0, description="the most seconds")
    folds: int = Field(5, ge=2, description="folds of the cross-validation")


class ModelSpec(KindSpec):
    """One candidate model.

    `search` tunes its hyper-parameters first; `prequential` also measures its prequential code length.
    """

    family = "models"
    search: SearchSettings | None = Field(None, description="search hyperparameters first")
    prequential: bool = Field(False, description="measure the code length too")

    @classmethod
    def of(cls, given: Any) -> Self:
        """Create the spec of a candidate.

        Args:
            given: Its kind, a mapping with the key `kind` and parameters, or a spec.

        Raises:
            InputError: It is none of these, or the kind is unknown.
        """
        if isinstance(given, cls):
            return given
        content = {"kind": given} if isinstance(given, str) else given
        if not isinstance(content, Mapping):
            raise InputError(f"models: {given!r} is no candidate; expected a kind such as 'logistic', or a dictionary.")
        try:
            return cls(**content)
        except ValidationError as error:
            raise InputError(f"models: {format_validation_error(error, cls)}") from None


class SourceSpec(KindSpec):
    """The source of the rows."""

    family = "sources"


@cache
def available_kinds(family: str) -> list[str]:
    """Return the sorted kinds of a family: the public modules in its folder."""
    folder = ROOT.joinpath(*FAMILIES[family].split("."))
    return sorted(m.name for m in pkgutil.iter_modules([str(folder)]) if not m.name.startswith("_"))


@cache
def load_kind(family: str, kind: str) -> type[Any]:
    """Import a kind's module and return its one public class.

    Raises:
        InputError: There is no such kind.
        MissingExtraError: A library that the kind needs is not installed.
        TypeError: The module defines no public class, or several.
    """
    _require_known(family, kind)
    module = import_for(f"{family[:-1]} kind {kind!r}", f"{FAMILIES[family]}.{kind}")
    own = [c for n, c in inspect.getmembers(module, inspect.isclass) if c.__module__ == module.__name__ and n[0] != "_"]
    if len(own) != 1:
        raise TypeError(f"{module.__name__} must define exactly one public class, not {len(own)}.")
    return own[0]


def _require_known(family: str, kind: str) -> None:
    if kind not in available_kinds(family):
        raise InputError(f"no {family[:-1]} of kind {kind!r}. {did_you_mean(kind, available_kinds(family))}")


def format_validation_error(error: ValidationError, section: type[BaseModel] | None = None) -> str:
    """Format a pydantic error: per mistake the key, what was expected and what was given.

    Args:
        error: The error.
        section: The model that was validated, for hints about unknown keys.
    """
    return "; ".join(_format_mistake(dict(e), section) for e in error.errors())


def _format_mistake(e: dict[str, Any], section: type[BaseModel] | None) -> str:
    where = ".".join(map(str, e["loc"]))
    if e["type"] == "extra_forbidden":
        known = _known_keys(section, e["loc"][:-1])
        return f"{where}: no such key. {did_you_mean(str(e['loc'][-1]), known) if known else 'Remove it.'}"
    if e["type"] == "missing":
        return f"{where}: this key is needed and missing"
    if e["type"] == "value_error":
        return f"{where + ': ' if where else ''}{e['msg'].removeprefix('Value error, ')}"
    return f"{where}: {e['msg'][0].lower()}{e['msg'][1:]}, not {str(e['input'])[:80]!r}"


def _known_keys(section: type[BaseModel] | None, path: tuple[Any, ...]) -> list[str]:
    """Return the valid keys of the section at `path` below `section`."""
    for step in path:
        if section is None or step not in section.model_fields:
            return []
        section = _nested_model(section.model_fields[step].annotation)
    return list(section.model_fields) if section else []


def _nested_model(annotation: Any) -> type[BaseModel] | None:
    options = [annotation, *getattr(annotation, "__args__", ())]
    return next((o for o in options if inspect.isclass(o) and issubclass(o, BaseModel)), None)

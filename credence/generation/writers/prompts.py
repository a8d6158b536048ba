"""Prompt templates: one YAML file per name and version, identified by the digest of its content."""

import json
import re
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import yaml
from pydantic import Field, ValidationError, model_validator

from credence.core.canonical_json import json_digest
from credence.core.errors import InputError, did_you_mean
from credence.core.paths import bundled_folder
from credence.core.registry import StrictModel, format_validation_error
from credence.core.yaml_loader import parse_yaml

PROMPTS_FOLDER = bundled_folder("prompts")
KEYS = ("system", "user", "fields", "schema", "max_tokens", "examples")
PLACE = re.compile(r"\$([a-z_]+)")


class Template(StrictModel):
    """A prompt.

    Attributes:
        name: Its folder in prompts/.
        version: Its file, as major.minor.patch.
        system: The system message.
        user: The user message, with $field for every field.
        fields: The names of the fields.
        schema_: JSON schema of the reply.
        max_tokens: Maximum output tokens for each item of the reply.
        examples: Example items, appended to the system message.
    """

    name: str
    version: str = Field(pattern=r"^\d+\.\d+\.\d+$")
    system: str = Field(min_length=1)
    user: str = Field(min_length=1)
    fields: list[str] = Field(min_length=1)
    schema_: dict[str, Any] = Field(alias="schema", min_length=1)
    max_tokens: int = Field(ge=1)
    examples: list[dict[str, Any]] = []

    @model_validator(mode="after")
    def _places_are_fields(self) -> Self:
        places = set(PLACE.findall(self.user))
        if odd := places ^ set(self.fields):
            raise ValueError(
                f"user: {', '.join(f'${p}' for p in sorted(odd))} stands in only one of the message and the list of "
                "fields; expected every field in both."
            )
        return self

    @property
    def digest(self) -> str:
        """Return the digest of the content, independent of layout and comments."""
        return json_digest(self.model_dump(by_alias=True))

    @cached_property
    def id(self) -> str:
        """Return name/version@digest, as stored with every row and call."""
        return f"{self.name}/{self.version}@{self.digest}"

    def system_message(self) -> str:
        """Return the system message followed by the examples."""
        shown = [json.dumps(e, ensure_ascii=False) for e in self.examples]
        return "\n".join([self.system.rstrip(), *(["Examples:", *shown] if shown else [])])

    def user_message(self, **values: Any) -> str:
        """Fill in the user message. Values are inserted as JSON, so that none can pass as part of the message.

        Raises:
            InputError: A field has no value, or a value has no field.
        """
        missing, unknown = sorted(set(self.fields) - set(values)), sorted(set(values) - set(self.fields))
        if missing:
            raise InputError(
                f"prompt {self.name}/{self.version}: no value for {', '.join(missing)}; give all its fields."
            )
        if unknown:
            raise InputError(
                f"prompt {self.name}/{self.version}: no field {unknown[0]!r}. {did_you_mean(unknown[0], self.fields)}"
            )
        written = {k: json.dumps(v, ensure_ascii=False, sort_keys=True) for k, v in values.items()}
        return PLACE.sub(lambda place: written[place[1]], self.user).rstrip()


def load_prompt(name: str, version: str | None = None, folder: Path = PROMPTS_FOLDER) -> Template:
    """Load a prompt.

    Args:
        name: Its folder.
        version: Its version; None means the newest.
        folder: The folder of all prompts.

    Raises:
        InputError: There is no such prompt or version, or its file cannot be used.
    """
    names = sorted(p.name for p in folder.iterdir() if p.is_dir()) if folder.is_dir() else []
    if name not in names:
        raise InputError(f"no prompt {name!r} in {folder}. {did_you_mean(name, names)}")
    known = sorted((p.stem for p in (folder / name).glob("*.yaml")), key=_numbers)
    version = version or (known[-1] if known else "")
    if version not in known:
        raise InputError(f"prompt {name!r} has no version {version!r}. {did_you_mean(version, known)}")
    path = folder / name / f"{version}.yaml"
    try:
        return Template.model_validate({**_content(path), "name": name, "version": version})
    except ValidationError as error:
        raise InputError(f"{path}: {format_validation_error(error, Template)}") from None


def _content(path: Path) -> dict[str, Any]:
    try:
        content = parse_yaml(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        raise InputError(f"{path}{where}: this is not YAML in UTF-8: {getattr(error, 'problem', error)}.") from None
    if not isinstance(content, dict):
        raise InputError(f"{path}: holds {type(content).__name__}; expected a mapping with {', '.join(KEYS)}.")
    return {str(key): value for key, value in content.items()}


def prompt_digests(folder: Path = PROMPTS_FOLDER) -> dict[str, str]:
    """Return the digest of every version of every prompt, by name/version."""
    files = sorted(folder.glob("*/*.yaml"))
    return {f"{f.parent.name}/{f.stem}": load_prompt(f.parent.name, f.stem, folder).digest for f in files}


def _numbers(version: str) -> list[tuple[int, str]]:
    return [(int(part) if part.isdigit() else -1, part) for part in version.split(".")]

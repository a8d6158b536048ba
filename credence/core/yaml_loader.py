"""Load YAML in which only true and false are booleans, so that answers may be called yes and no."""

from pathlib import Path
from typing import Any

import yaml

from credence.core.errors import InputError


class StrictLoader(yaml.SafeLoader):
    """A safe loader that reads yes, no, on and off as text and rejects repeated keys."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        """Build a dictionary.

        Raises:
            ConstructorError: A key is given twice.
        """
        keys = [k.value for k, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.constructor.ConstructorError(None, None, f"the key {key!r} is given twice", node.start_mark)
        return super().construct_mapping(node, deep)


StrictLoader.yaml_implicit_resolvers = {
    first: [(tag, regexp) for tag, regexp in resolvers if tag != "tag:yaml.org,2002:bool" or first in "tTfF"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def parse_yaml(text: str) -> Any:
    """Parse YAML text.

    Raises:
        yaml.YAMLError: The text is not YAML, or repeats a key.
    """
    return yaml.load(text, Loader=StrictLoader)  # nosec B506: a SafeLoader


def load_yaml(path: Path) -> dict[str, Any]:
    """Load the mapping in a YAML file.

    Raises:
        InputError: The file is not UTF-8, not YAML or not a mapping; names the file and the line.
    """
    try:
        content = parse_yaml(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        raise InputError(f"{path}{where}: this is not YAML: {getattr(error, 'problem', error)}.") from None
    except UnicodeDecodeError:
        raise InputError(f"{path}: this is not UTF-8 text; expected a task in YAML.") from None
    if not isinstance(content, dict):
        raise InputError(
            f"{path}: holds {type(content).__name__}; expected a mapping with question, source, columns and models."
        )
    return content

"""List the available stacks in milliseconds: read ZenML's local store without importing ZenML."""

import os
import sqlite3
from importlib.util import find_spec
from pathlib import Path

HERE = Path(__file__).parent
FOLDERS = (Path("stacks"), HERE)  # a file of the working directory comes first


def project_stacks() -> list[str]:
    """List the stacks with a file in stacks/ of the working directory, or among those installed with credence."""
    return sorted({f.stem for folder in FOLDERS for f in folder.glob("*.yaml")})


def stack_file(name: str) -> Path:
    """Return the file of one of the `project_stacks`."""
    files = [folder / f"{name}.yaml" for folder in FOLDERS]
    return next((file for file in files if file.is_file()), files[-1])


def available_stacks() -> list[str] | None:
    """List all stacks; None if ZenML keeps them on a server."""
    store = local_store()
    if store is None:
        return None
    return sorted({*project_stacks(), "default", *(_registered(store) if store.is_file() else [])})


def local_store() -> Path | None:
    """Return the path of ZenML's local store, which may not exist yet; None if ZenML uses a server."""
    config = Path(os.environ.get("ZENML_CONFIG_PATH") or _default_config())
    if os.environ.get("ZENML_STORE_URL") or "type: rest" in _text(config / "config.yaml"):
        return None
    return config / "local_stores" / "default_zen_store" / "zenml.db"


def _registered(store: Path) -> list[str]:
    connection = sqlite3.connect(f"file:{store}?mode=ro", uri=True)
    try:
        return [name for (name,) in connection.execute("SELECT name FROM stack")]
    except sqlite3.Error:  # ZenML has not created the tables yet
        return []
    finally:
        connection.close()


def _default_config() -> Path:
    if find_spec("click") is None:  # it comes with ZenML, without which there is no store
        return Path("~/.config/zenml").expanduser()
    import click

    return Path(click.get_app_dir("zenml"))


def _text(file: Path) -> str:
    return file.read_text() if file.is_file() else ""

"""Small tasks for the tests of the service: a table of every kind of column, and texts."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import bentoml
import numpy as np
import pandas as pd
import prometheus_client
from starlette.testclient import TestClient

from bentos.packaging.build import store_predictor
from bentos.service import credence_service
from credence.data.rows import Columns, model_inputs, to_canonical_rows
from credence.data.split import Split, assign_parts
from credence.model import Model
from credence.predictor import Predictor, TaskInfo
from credence.statistics.calibration import Calibration

TABLE = Columns(label="ill", positive="yes", group="clinic")
TEXT = Columns(label="label", positive="good", text="review", group="shop")


def raw_table(n: int = 240, seed: int = 0) -> pd.DataFrame:
    """A table with odd names: spaces, a reserved word, a missing cell, a date, a flag, a group."""
    random = np.random.default_rng(seed)
    ill = random.random(n) < 0.4
    return pd.DataFrame(
        {
            "age (years)": (50 + 15 * ill + random.normal(0, 8, n)).round(1),
            "dose, mg": np.where(random.random(n) < 0.1, np.nan, random.normal(3, 1, n) - ill),
            "smokes": random.random(n) < 0.3 + 0.4 * ill,
            "key": np.where(random.random(n) < 0.5 + 0.3 * ill, "red", "dark blue"),
            "colour": pd.Series(np.where(ill, "green", "white")).where(random.random(n) > 0.1, None),
            "first seen": pd.Timestamp("2023-01-01") + pd.to_timedelta(random.integers(0, 700, n), unit="D"),
            "clinic": random.choice(["north", "south"], n),
            "ill": np.where(ill, "yes", "no"),
        }
    )


def raw_texts(n: int = 240, seed: int = 0) -> pd.DataFrame:
    """Reviews with a word or two that give the answer away."""
    random = np.random.default_rng(seed)
    good = random.random(n) < 0.5
    words = ["the", "parcel", "came", "on", "monday", "and", "was", "blue", "with", "paper", "inside", "very", "big"]
    telling = {True: ["fine", "lovely", "quick"], False: ["broken", "late", "awful"]}
    text = [" ".join([*random.choice(words, 6), random.choice(telling[bool(g)]), f"n{i}"]) for i, g in enumerate(good)]
    return pd.DataFrame(
        {
            "review": text,
            "shop": random.choice(["one", "two"], n),
            "label": np.where(good, "good", "bad"),
        }
    )


def trained(model: Model, name: str = "case", texts: bool = False) -> tuple[Predictor, pd.DataFrame]:
    """A predictor of this model for the table, or for texts where it reads those alone, and its test rows."""
    raw, columns = (raw_texts(), TEXT) if texts or model.reads == "text" else (raw_table(), TABLE)
    rows = to_canonical_rows(raw, columns)
    part = assign_parts(rows, Split())
    train, calibration, test = (rows[part == p].reset_index(drop=True) for p in ("train", "calibration", "test"))
    model.fit(model_inputs(train), train["label"].to_numpy())
    about = TaskInfo(task=name, question="Is it so?", answers=("no", "yes"), group=columns.group)
    return Predictor.calibrate(model, train, calibration, Calibration(), about), test


def kept(predictor: Predictor, folder: Path, card: str = "") -> Path:
    """The predictor saved into a new folder, with a model card where one is given."""
    folder.mkdir(parents=True)
    if card:
        (folder / "card.md").write_text(card)
    predictor.save(folder)
    return folder


@contextmanager
def client(folder: Path, name: str) -> Iterator[TestClient]:
    """A client of the service's ASGI application in this process: everything but the sockets."""
    tag = store_predictor(folder, name, "1")
    _forget_metrics()
    with TestClient(credence_service(bentoml.models.get(tag)).to_asgi(), raise_server_exceptions=False) as made:
        yield made


def _forget_metrics() -> None:
    """Metrics are one per process and so is a server; tests have several in one."""
    for collector, names in list(prometheus_client.REGISTRY._collector_to_names.items()):
        if any(name.startswith("bentoml_") for name in names):
            prometheus_client.REGISTRY.unregister(collector)


def call(
    app: Any, path: str = "/predict", headers: dict[str, str] | None = None, chunks: list[bytes] | None = None
) -> Any:
    """Send one request to an ASGI application; status, headers and body of its answer, and how many chunks it read."""
    waiting, sent, read = list(chunks or [b""]), [], 0

    async def receive() -> dict[str, Any]:
        nonlocal read
        read += 1
        return {"type": "http.request", "body": waiting.pop(0), "more_body": bool(waiting)}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    pairs = [(k.lower().encode(), v.encode()) for k, v in (headers or {}).items()]
    scope = {"type": "http", "method": "POST", "path": path, "headers": pairs, "client": ("10.0.0.1", 5)}
    asyncio.run(app(scope, receive, send))
    start = {k.decode(): v.decode() for k, v in sent[0]["headers"]}
    return sent[0]["status"], start, b"".join(m.get("body", b"") for m in sent[1:]), read

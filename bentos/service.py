"""What `bentoml serve credence:latest` runs: one stored predictor, asked over HTTP."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import bentoml
from bentoml.exceptions import BentoMLException, NotFound
from bentoml.models import BentoModel
from pydantic import BaseModel
from starlette.responses import Response

from bentos.front import front
from bentos.guard import Guard
from bentos.lean import without_needless_torch
from bentos.refusal import parse
from bentos.schema import (
    Answer,
    Answers,
    Contribution,
    Explanation,
    Refusal,
    answers,
    read_facts,
    row_model,
    rows_model,
    table,
)
from bentos.settings import Settings
from credence.errors import BadInput, did_you_mean
from credence.explain import explain_rows
from credence.predictor import Predictor
from credence.rows import raw_name

PINNED = Path(__file__).parent / "bento.json"
TIMEOUT = 10
MOST_AT_ONCE = 64
ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class Desk:
    """Answers requests with one predictor. `credence_service` gives a copy of this class its models and its folder."""

    folder: ClassVar[Path]
    row: ClassVar[type[BaseModel]]
    rows: ClassVar[type[BaseModel]]

    def __init__(self) -> None:
        with without_needless_torch(self.folder):
            self.predictor = Predictor.load(self.folder)
            # A server that cannot answer a row it has seen must not report ready; and the first answer is the slowest.
            self.predictor.predict(self.predictor.reference.head(1))

    def predict(self, body: bytes, /) -> Response:
        """Answer the question about one row."""
        return reply(lambda: self._answers([parse(self.row, body, self.row)])[0])

    def batch_predict(self, body: bytes, /) -> Response:
        """Answer the question about many rows, in their order."""
        return reply(lambda: Answers(answers=self._answers(self._read_rows(body))))

    def explain(self, body: bytes, /) -> Response:
        """Say what each column of one row adds to the log-odds of yes."""
        return reply(lambda: self._explanation(parse(self.row, body, self.row)))

    def _explanation(self, row: BaseModel) -> Explanation:
        schema = self.predictor.facts.schema_
        found = explain_rows(self.predictor, schema.select(table([row], schema)))[0]
        raw = {n: raw_name(n) for n in schema.names()}
        parts = [Contribution(column=raw.get(column, column), contribution=value) for column, value in found]
        return Explanation(contributions=parts, version=self.predictor.facts.version)

    def _read_rows(self, body: bytes) -> list[BaseModel]:
        given: Any = parse(self.rows, body, self.row)
        texts = getattr(given, "texts", None)
        if (given.rows is None) == (texts is None):
            raise BadInput("expected either rows or texts, and not both.")
        return given.rows if texts is None else [self.row(text=t) for t in texts]

    def _answers(self, rows: list[BaseModel]) -> list[Answer]:
        return answers(self.predictor.predict(table(rows, self.predictor.facts.schema_)))


def reply(compute: Callable[[], BaseModel]) -> Response:
    """What `compute` returns as JSON with status 200, or its BadInput as one sentence with status 400."""
    try:
        status, found = 200, compute()
    except BadInput as error:
        status, found = 400, Refusal(error=str(error), field=getattr(error, "field", None))
    return Response(found.model_dump_json(), status, media_type="application/json")


def credence_service(stored: bentoml.Model) -> bentoml.Service[Any]:
    """The service for a stored predictor; reads its facts, and the weights only when a worker starts."""
    folder = Path(stored.path)
    facts = read_facts(folder)
    row = row_model(facts)
    rows = rows_model(row, facts)
    api = {
        "predict": bentoml.api(Desk.predict, input_spec=row, output_spec=Answer),
        "batch_predict": bentoml.api(Desk.batch_predict, input_spec=rows, output_spec=Answers),
        "explain": bentoml.api(Desk.explain, input_spec=row, output_spec=Explanation),
    }
    desk = type("Desk", (Desk,), {"folder": folder, "row": row, "rows": rows, "model": BentoModel(stored.tag), **api})
    settings = Settings.read(os.environ)
    made = bentoml.service(**_options(settings))(desk)
    made.mount_asgi_app(front(facts, folder), name="front")
    made.add_asgi_middleware(Guard, keys=[k.get_secret_value() for k in settings.api_keys], rate=settings.rate)
    return made


def _options(settings: Settings) -> dict[str, Any]:
    """One thread per worker: the models are bound by the processor, and a queue is kinder than a crowd."""
    return {
        "name": "credence", "workers": settings.workers, "threads": 1,
        "traffic": {"timeout": TIMEOUT, "max_concurrency": MOST_AT_ONCE},
        "logging": {"access": {"enabled": False}}, "tracing": {"excluded_urls": ".*"},
        "envs": [{"name": name, "value": "1"} for name in ONE_THREAD],
    }  # fmt: skip


def chosen() -> bentoml.Model:
    """The stored model that this process serves: the one its bento was built for, or CREDENCE_MODEL."""
    tag = json.loads(PINNED.read_text())["model"] if PINNED.is_file() else os.environ.get("CREDENCE_MODEL")
    if not tag:
        raise BadInput("CREDENCE_MODEL is not set; expected the tag of a stored model, such as breast_cancer:latest.")
    try:
        return bentoml.models.get(tag)
    except NotFound:
        known = {m.tag.name for m in bentoml.models.list()}
        hint = did_you_mean(tag, known) if known else "It is empty."
        raise BadInput(f"no model {tag!r} in BentoML's store. {hint}") from None


def __getattr__(name: str) -> Any:
    """`Credence` is made when BentoML asks for it, so that importing this module touches no store."""
    if name != "Credence":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        globals()[name] = credence_service(chosen())
    except BadInput as error:
        raise BentoMLException(str(error)) from None
    return globals()[name]

"""What `bentoml serve credence:latest` runs: one stored predictor, asked over HTTP."""

import json
import os
from pathlib import Path
from typing import Any

import bentoml
from bentoml.exceptions import BentoMLException, NotFound
from bentoml.models import BentoModel

from bentos.api.endpoints import Endpoints
from bentos.api.feedback import Feedback, FeedbackCount
from bentos.api.middleware import RequestGuard
from bentos.api.pages import html_pages
from bentos.api.path_metrics import KnownPathsService
from bentos.rollout.model_watcher import SINCE, ModelWatcher, last_edition
from bentos.schema.models import Explanation, Prediction, PredictionList, row_model, rows_model
from bentos.settings import Settings
from credence.core.errors import InputError, did_you_mean
from credence.predictor import read_info
from credence.security.signing import verify

PINNED = Path(__file__).parent / "bento.json"
TIMEOUT = 10
MAX_CONCURRENCY = 64
ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def credence_service(stored: bentoml.Model) -> bentoml.Service[Any]:
    """The service for a stored predictor; reads its facts, and the weights only when a worker starts."""
    folder = Path(stored.path)
    verify(folder)  # before anything is read from it: a server of a changed predictor ends at once, and says why
    info = read_info(folder)
    row = row_model(info)
    rows = rows_model(row, info)
    api = {
        "predict": bentoml.api(Endpoints.predict, input_spec=row, output_spec=Prediction),
        "batch_predict": bentoml.api(Endpoints.batch_predict, input_spec=rows, output_spec=PredictionList),
        "explain": bentoml.api(Endpoints.explain, input_spec=row, output_spec=Explanation),
        "feedback": bentoml.api(Endpoints.feedback, input_spec=Feedback, output_spec=FeedbackCount),
    }
    settings = Settings.read(os.environ)
    follower = ModelWatcher(folder, info.task, settings.log)
    about = {"follower": follower, "settings": settings, "model": BentoModel(stored.tag)}
    desk = type("Desk", (Endpoints,), {**about, **api, "starting": at_start(info.task)})
    made = bentoml.service(service_class=KnownPathsService, **_options(settings))(desk)
    made.mount_asgi_app(html_pages(lambda: follower.lineup.champion), name="front")
    made.add_asgi_middleware(RequestGuard, keys=[k.get_secret_value() for k in settings.api_keys], rate=settings.rate)
    return made


def at_start(task: str) -> Any:
    """What the server does before its workers start: tell them all, also later ones, what was wanted already."""

    @bentoml.on_deployment
    def starting() -> None:
        os.environ[SINCE] = str(last_edition(task))

    return starting


def _options(settings: Settings) -> dict[str, Any]:
    """One thread per worker: the models are bound by the processor, and a queue is kinder than a crowd."""
    return {
        "name": "credence",
        "workers": settings.workers,
        "threads": 1,
        "traffic": {"timeout": TIMEOUT, "max_concurrency": MAX_CONCURRENCY},
        "logging": {"access": {"enabled": False}},
        "tracing": {"excluded_urls": ".*"},
        "envs": [{"name": name, "value": "1"} for name in ONE_THREAD],
    }


def chosen() -> bentoml.Model:
    """The stored model that this process serves: the one its bento was built for, or CREDENCE_MODEL."""
    tag = json.loads(PINNED.read_text())["model"] if PINNED.is_file() else os.environ.get("CREDENCE_MODEL")
    if not tag:
        raise InputError("CREDENCE_MODEL is not set; expected the tag of a stored model, such as breast_cancer:latest.")
    try:
        return bentoml.models.get(tag)
    except NotFound:
        known = {m.tag.name for m in bentoml.models.list()}
        hint = did_you_mean(tag, known) if known else "It is empty."
        raise InputError(f"no model {tag!r} in BentoML's store. {hint}") from None


def __getattr__(name: str) -> Any:
    """`Credence` is made when BentoML asks for it, so that importing this module touches no store."""
    if name != "Credence":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        globals()[name] = credence_service(chosen())
    except InputError as error:
        raise BentoMLException(str(error)) from None
    return globals()[name]

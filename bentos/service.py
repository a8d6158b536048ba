"""The BentoML service that `bentoml serve credence:latest` runs: one stored predictor over HTTP."""

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
    """Build the service of a stored predictor. Its weights are loaded when a worker starts.

    Raises:
        InputError: The stored predictor was changed after it was signed, or a setting cannot be used.
    """
    folder = Path(stored.path)
    verify(folder)  # before anything is read from it: the server of a changed predictor must not start
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
    watcher = ModelWatcher(folder, info.task, settings.log)
    attributes = {"model_watcher": watcher, "settings": settings, "model": BentoModel(stored.tag)}
    endpoints = type("TaskEndpoints", (Endpoints,), {**attributes, **api, "starting": at_start(info.task)})
    service = bentoml.service(service_class=KnownPathsService, **_options(settings))(endpoints)
    service.mount_asgi_app(html_pages(lambda: watcher.router.champion), name="pages")
    keys = [k.get_secret_value() for k in settings.api_keys]
    service.add_asgi_middleware(RequestGuard, keys=keys, rate=settings.rate)
    return service


def at_start(task: str) -> Any:
    """Create the hook that runs before the workers start.

    It passes the current edition of the desired state to all workers, also to those restarted later.
    """

    @bentoml.on_deployment
    def starting() -> None:
        os.environ[SINCE] = str(last_edition(task))

    return starting


def _options(settings: Settings) -> dict[str, Any]:
    """Build BentoML's options: one thread per worker (models are CPU-bound), a queue of 64 requests, 10 s timeout."""
    return {
        "name": "credence",
        "workers": settings.workers,
        "threads": 1,
        "traffic": {"timeout": TIMEOUT, "max_concurrency": MAX_CONCURRENCY},
        "logging": {"access": {"enabled": False}},
        "tracing": {"excluded_urls": ".*"},
        "envs": [{"name": name, "value": "1"} for name in ONE_THREAD],
    }


def served_model() -> bentoml.Model:
    """Return the stored model that this process serves: the one its bento was built for, or CREDENCE_MODEL.

    Raises:
        InputError: CREDENCE_MODEL is not set, or the store has no such model.
    """
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
    """Create `Credence` when BentoML asks for it, so that importing this module reads no store."""
    if name != "Credence":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        globals()[name] = credence_service(served_model())
    except InputError as error:
        raise BentoMLException(str(error)) from None
    return globals()[name]

"""The API endpoints: parse a request, route it to a predictor, log and count the answers."""

from collections.abc import Callable
from typing import ClassVar, ParamSpec

import anyio.to_thread
import bentoml
from pydantic import BaseModel
from starlette.responses import Response

from bentos.api.feedback import FeedbackCount, parse_feedback
from bentos.rollout.desired_state import FILE
from bentos.rollout.file_watcher import FileWatcher
from bentos.rollout.model_watcher import ModelWatcher
from bentos.runtime.loaded_predictor import LoadedPredictor
from bentos.runtime.metrics import ServiceMetrics
from bentos.runtime.request_context import REQUEST_CONTEXT
from bentos.runtime.request_log import RequestLog
from bentos.schema.models import ErrorResponse, Explanation, Prediction, PredictionList, predictions_of
from bentos.settings import Settings
from credence.core.errors import InputError
from credence.core.paths import monitoring_folder, serving_folder

P = ParamSpec("P")


class FeedbackNotStored(InputError):
    """The feedback is valid but cannot be stored here or now (HTTP status 503)."""

    status = 503


class Endpoints:
    """The endpoints of one worker. `credence_service` sets `model_watcher` and `settings` in a subclass."""

    model_watcher: ClassVar[ModelWatcher]
    settings: ClassVar[Settings]

    def __init__(self) -> None:
        task = self.model_watcher.task
        self.request_log = RequestLog(task, self.settings.log_days) if self.settings.log else None
        self.metrics = ServiceMetrics(task)
        self.model_watcher.start(self.settings.follow)
        self.file_watcher = FileWatcher(self._update_metrics)
        if self.settings.follow:
            self.file_watcher.add(serving_folder(task) / FILE, self.model_watcher.apply)
        verdict = monitoring_folder(task) / "latest.json"
        self.file_watcher.add(verdict, lambda: self.metrics.drift(verdict))
        self.file_watcher.start()

    @bentoml.on_shutdown
    def close(self) -> None:
        """Stop the threads and child processes of this worker and flush its log."""
        self.file_watcher.stop()
        self.model_watcher.stop()
        if self.request_log:
            self.request_log.close()

    def predict(self, body: bytes, /) -> Response:
        """Answer the question about one row."""
        return http_reply(self._predict_row, body)

    def batch_predict(self, body: bytes, /) -> Response:
        """Answer the question about many rows, in the order of the request."""
        return http_reply(self._predict_rows, body)

    def explain(self, body: bytes, /) -> Response:
        """Give the contribution of each column of one row to the log-odds of yes."""
        return http_reply(self._explain_row, body)

    async def feedback(self, body: bytes, /) -> Response:
        """Store true labels of answered rows. The reply is sent once they are on disk."""
        # In a thread, because an fsync would delay the answers to other requests.
        return await anyio.to_thread.run_sync(http_reply, self._store_feedback, body)

    def _predict_row(self, body: bytes) -> Prediction:
        return self._answer(body, many=False)[0]

    def _predict_rows(self, body: bytes) -> PredictionList:
        return PredictionList(answers=self._answer(body, many=True))

    def _explain_row(self, body: bytes) -> Explanation:
        _, _, explanation = self.model_watcher.router.route(REQUEST_CONTEXT.get(), LoadedPredictor.explain, body)
        return explanation

    def _answer(self, body: bytes, many: bool) -> list[Prediction]:
        # One router for the whole request: a swap between two lines must not mix two predictors.
        router, context = self.model_watcher.router, REQUEST_CONTEXT.get()
        role, predictor, (rows, answers) = router.route(context, LoadedPredictor.answer, body, many)
        predictions = predictions_of(answers)
        if self.request_log:
            self.request_log.note(context, predictor.info, rows, answers, role)
        self.metrics.count(predictor.info, role, answers)
        router.shadow(role, context, body, many)
        return predictions

    def _store_feedback(self, body: bytes) -> FeedbackCount:
        records = parse_feedback(body, self.model_watcher.router.champion.info.answers)
        if self.request_log is None:
            raise FeedbackNotStored(
                "this server keeps no log (CREDENCE_LOG=off), and so no feedback; send it to one that does."
            )
        try:
            self.request_log.feedback.append(records)
        except InputError as error:
            raise FeedbackNotStored(str(error)) from None
        self.metrics.recorded(len(records))
        return FeedbackCount(recorded=len(records))

    def _update_metrics(self) -> None:
        """Copy counts that other objects keep into the metrics; called five times a second."""
        self.model_watcher.report()
        self.metrics.bound(self.model_watcher.router.champion.info)
        self.metrics.failed(self.model_watcher.failures())
        if self.request_log:
            self.metrics.dropped(self.request_log.dropped())


def http_reply(handle: Callable[P, BaseModel], *args: P.args, **kwargs: P.kwargs) -> Response:
    """Call a handler and return its result as JSON (200), or its InputError as one sentence.

    The status of an InputError is its attribute `status` if it has one, otherwise 400.
    """
    try:
        status, result = 200, handle(*args, **kwargs)
    except InputError as error:
        status = getattr(error, "status", 400)
        result = ErrorResponse(error=str(error), field=getattr(error, "field", None))
    return Response(result.model_dump_json(), status, media_type="application/json")

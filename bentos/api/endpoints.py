"""The endpoints: read a request, have it answered, remember it, and have it tried."""

from collections.abc import Callable
from typing import ClassVar

import anyio.to_thread
import bentoml
from pydantic import BaseModel
from starlette.responses import Response

from bentos.api.feedback import FeedbackCount, parse_feedback
from bentos.rollout.desired_state import FILE
from bentos.rollout.file_watcher import FileWatcher
from bentos.rollout.model_watcher import ModelWatcher
from bentos.runtime.metrics import ServiceMetrics
from bentos.runtime.request_context import REQUEST_CONTEXT
from bentos.runtime.request_log import RequestLog
from bentos.schema.models import ErrorResponse, Prediction, PredictionList, predictions_of
from bentos.settings import Settings
from credence.core.errors import InputError
from credence.core.paths import monitoring_folder, serving_folder


class FeedbackNotStored(InputError):
    """Nothing is wrong with what was sent: it cannot be kept here, or not now."""

    status = 503


class Endpoints:
    """Answers requests with what is wanted now. `credence_service` gives a copy of this class its follower."""

    follower: ClassVar[ModelWatcher]
    settings: ClassVar[Settings]

    def __init__(self) -> None:
        task = self.follower.task
        self.journal = RequestLog(task, self.settings.log_days) if self.settings.log else None
        self.meters = ServiceMetrics(task)
        self.follower.start(self.settings.follow)
        self.watch = FileWatcher(self._tick)
        if self.settings.follow:
            self.watch.add(serving_folder(task) / FILE, self.follower.apply)
        verdict = monitoring_folder(task) / "latest.json"
        self.watch.add(verdict, lambda: self.meters.drift(verdict))
        self.watch.start()

    @bentoml.on_shutdown
    def close(self) -> None:
        """Leave nothing behind but the log."""
        self.watch.stop()
        self.follower.stop()
        if self.journal:
            self.journal.close()

    def predict(self, body: bytes, /) -> Response:
        """Answer the question about one row."""
        return http_reply(lambda: self._answers(body, many=False)[0])

    def batch_predict(self, body: bytes, /) -> Response:
        """Answer the question about many rows, in their order."""
        return http_reply(lambda: PredictionList(answers=self._answers(body, many=True)))

    def explain(self, body: bytes, /) -> Response:
        """Say what each column of one row adds to the log-odds of yes."""
        return http_reply(lambda: self.follower.lineup.route(REQUEST_CONTEXT.get(), lambda a: a.explain(body))[1])

    async def feedback(self, body: bytes, /) -> Response:
        """Keep what turned out to be true; answered once it is on disk. Answering rows does not wait for that."""
        return await anyio.to_thread.run_sync(http_reply, lambda: self._recorded(body))

    def _answers(self, body: bytes, many: bool) -> list[Prediction]:
        lineup, caller = self.follower.lineup, REQUEST_CONTEXT.get()
        role, (info, rows, found) = lineup.route(caller, lambda a: (a.info, *a.answer(body, many)))
        made = predictions_of(found)
        if self.journal:
            self.journal.note(caller, info, rows, found, role)
        self.meters.count(info, role, found)
        lineup.shadow(role, caller, body, many)
        return made

    def _recorded(self, body: bytes) -> FeedbackCount:
        found = parse_feedback(body, self.follower.lineup.champion.info.answers)
        if self.journal is None:
            raise FeedbackNotStored(
                "this server keeps no log (CREDENCE_LOG=off), and so no feedback; send it to one that does."
            )
        try:
            self.journal.truths.append(found)
        except InputError as error:
            raise FeedbackNotStored(str(error)) from None
        self.meters.recorded(len(found))
        return FeedbackCount(recorded=len(found))

    def _tick(self) -> None:
        """Five times a second: what is counted elsewhere becomes figures."""
        self.follower.report()
        self.meters.bound(self.follower.lineup.champion.info)
        self.meters.failed(self.follower.failures())
        if self.journal:
            self.meters.dropped(self.journal.dropped())


def http_reply(compute: Callable[[], BaseModel]) -> Response:
    """What `compute` returns as JSON with status 200, or its BadInput as one sentence, mostly with status 400."""
    try:
        status, found = 200, compute()
    except InputError as error:
        status, found = (
            getattr(error, "status", 400),
            ErrorResponse(error=str(error), field=getattr(error, "field", None)),
        )
    return Response(found.model_dump_json(), status, media_type="application/json")

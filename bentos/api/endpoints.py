"""The endpoints: read a request, have it answered, remember it, and have it tried."""

from collections.abc import Callable
from typing import ClassVar

import anyio.to_thread
import bentoml
from pydantic import BaseModel
from starlette.responses import Response

from bentos.api.feedback import Recorded, truths
from bentos.rollout.desired_state import FILE
from bentos.rollout.file_watcher import Watch
from bentos.rollout.model_watcher import Follower
from bentos.runtime.metrics import Meters
from bentos.runtime.request_context import CALLER
from bentos.runtime.request_log import Journal
from bentos.schema.models import Answer, Answers, Refusal, answers
from bentos.settings import Settings
from credence.core.errors import BadInput
from credence.core.paths import monitoring_folder, serving_folder


class NotKept(BadInput):
    """Nothing is wrong with what was sent: it cannot be kept here, or not now."""

    status = 503


class Desk:
    """Answers requests with what is wanted now. `credence_service` gives a copy of this class its follower."""

    follower: ClassVar[Follower]
    settings: ClassVar[Settings]

    def __init__(self) -> None:
        task = self.follower.task
        self.journal = Journal(task, self.settings.log_days) if self.settings.log else None
        self.meters = Meters(task)
        self.follower.begin(self.settings.follow)
        self.watch = Watch(self._tick)
        if self.settings.follow:
            self.watch.add(serving_folder(task) / FILE, self.follower.obey)
        verdict = monitoring_folder(task) / "latest.json"
        self.watch.add(verdict, lambda: self.meters.drift(verdict))
        self.watch.start()

    @bentoml.on_shutdown
    def close(self) -> None:
        """Leave nothing behind but the log."""
        self.watch.stop()
        self.follower.end()
        if self.journal:
            self.journal.close()

    def predict(self, body: bytes, /) -> Response:
        """Answer the question about one row."""
        return reply(lambda: self._answers(body, many=False)[0])

    def batch_predict(self, body: bytes, /) -> Response:
        """Answer the question about many rows, in their order."""
        return reply(lambda: Answers(answers=self._answers(body, many=True)))

    def explain(self, body: bytes, /) -> Response:
        """Say what each column of one row adds to the log-odds of yes."""
        return reply(lambda: self.follower.lineup.ask(CALLER.get(), lambda a: a.explain(body))[1])

    async def feedback(self, body: bytes, /) -> Response:
        """Keep what turned out to be true; answered once it is on disk. Answering rows does not wait for that."""
        return await anyio.to_thread.run_sync(reply, lambda: self._recorded(body))

    def _answers(self, body: bytes, many: bool) -> list[Answer]:
        lineup, caller = self.follower.lineup, CALLER.get()
        role, (facts, rows, found) = lineup.ask(caller, lambda a: (a.facts, *a.answer(body, many)))
        made = answers(found)
        if self.journal:
            self.journal.note(caller, facts, rows, found, role)
        self.meters.count(facts, role, found)
        lineup.copy(role, caller, body, many)
        return made

    def _recorded(self, body: bytes) -> Recorded:
        found = truths(body, self.follower.lineup.champion.facts.answers)
        if self.journal is None:
            raise NotKept("this server keeps no log (CREDENCE_LOG=off), and so no feedback; send it to one that does.")
        try:
            self.journal.truths.append(found)
        except BadInput as error:
            raise NotKept(str(error)) from None
        self.meters.recorded(len(found))
        return Recorded(recorded=len(found))

    def _tick(self) -> None:
        """Five times a second: what is counted elsewhere becomes figures."""
        self.follower.look()
        self.meters.bound(self.follower.lineup.champion.facts)
        self.meters.failed(self.follower.failures())
        if self.journal:
            self.meters.dropped(self.journal.dropped())


def reply(compute: Callable[[], BaseModel]) -> Response:
    """What `compute` returns as JSON with status 200, or its BadInput as one sentence, mostly with status 400."""
    try:
        status, found = 200, compute()
    except BadInput as error:
        status, found = getattr(error, "status", 400), Refusal(error=str(error), field=getattr(error, "field", None))
    return Response(found.model_dump_json(), status, media_type="application/json")

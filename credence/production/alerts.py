"""Tell people: every alert becomes a line of a file, and a message to a webhook where one is set."""

import json
import os
import re
import uuid
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

from pydantic import AwareDatetime, Field, ValidationError, field_validator

from credence.core.errors import InputError
from credence.core.paths import monitoring_folder
from credence.core.registry import StrictModel
from credence.core.time_format import parse_duration
from credence.production.webhook import DELIVERED, SCHEMES, post_webhook, webhook_host

SIGNED_WITH = "CREDENCE_WEBHOOK_SECRET"


class AlertSinks(StrictModel):
    """Where alerts go. The address of a webhook is as good as a password: better name the variable that holds it."""

    file: Path | None = Field(
        None, description="one line of JSON per alert; otherwise the task's monitoring/alerts.jsonl"
    )
    webhook: str | None = Field(None, description="a URL, or the name of the environment variable that holds it")
    repeat: str = Field("1d", description="the same alert is sent again after so long; until then it is only filed")

    @field_validator("webhook")
    @classmethod
    def _webhook_is_a_url_or_a_name(cls, webhook: str | None) -> str | None:
        if webhook is None or webhook.startswith(SCHEMES) or re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", webhook):
            return webhook
        raise ValueError("expected a URL that begins with https:// or http://, or the name of a variable")

    @field_validator("repeat")
    @classmethod
    def _repeat_is_a_span(cls, repeat: str) -> str:
        try:
            parse_duration(repeat)
        except InputError as error:
            raise ValueError(str(error)) from None
        return repeat

    def url(self, environment: Mapping[str, str] = os.environ) -> str | None:
        """The webhook's address. BadInput where the variable that should hold it does not."""
        if self.webhook is None or self.webhook.startswith(SCHEMES):
            return self.webhook
        found = environment.get(self.webhook, "").strip()
        if not found.startswith(SCHEMES):
            wrong = "holds no URL" if found else "is not set"
            raise InputError(f"the variable {self.webhook} {wrong}; expected the webhook's https:// address.")
        return found


class Alert(StrictModel):
    """Something that a person should know, in one sentence, with the figures behind it."""

    task: str
    kind: str = Field(description="what it is about, such as drift or performance")
    severity: Literal["info", "warning", "critical"]
    sentence: str
    columns: tuple[str, ...] = ()
    figures: dict[str, float | int | str | bool | None] = {}
    time: AwareDatetime = Field(default_factory=lambda: datetime.now(UTC))
    id: str = Field(default_factory=lambda: uuid.uuid4().hex)

    def about(self) -> tuple[str, str, list[str]]:
        """What two alerts have in common when they are one that goes on."""
        return self.task, self.kind, sorted(self.columns)


class AlertRecord(Alert):
    """An alert's line in the file."""

    repeats: str | None = Field(description="the id of the alert that this one repeats")


class DeliveryRecord(StrictModel):
    """The line that follows once a webhook was tried."""

    of: str = Field(description="the id of the alert")
    webhook: str
    time: AwareDatetime = Field(default_factory=lambda: datetime.now(UTC))


def send_alert(alert: Alert, sinks: AlertSinks, environment: Mapping[str, str] = os.environ) -> list[str]:
    """File an alert, then send it; what became of it, in words, sink by sink.

    No sink that fails raises: an alert that could not be sent stays in the file with the reason. One that was sent
    within `sinks.repeat` is filed as a repetition and not sent.
    """
    file = sinks.file or monitoring_folder(alert.task) / "alerts.jsonl"
    original = _repeated(alert, sinks, file)
    said = [_file(file, AlertRecord(**dict(alert), repeats=original))]
    if sinks.webhook is None:
        return said
    if original is not None:
        return [*said, f"webhook: held back, since it was sent within {sinks.repeat}"]
    outcome = _sent(alert, sinks, environment)
    _file(file, DeliveryRecord(of=alert.id, webhook=outcome))
    return [*said, f"webhook: {outcome}"]


def alert_message(alert: Alert) -> bytes:
    """The body that a webhook gets; Slack, Mattermost and their like show `text`."""
    text = f"[{alert.severity}] {alert.task}, {alert.kind}: {alert.sentence}"
    for character, escaped in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):  # or a column's name might call everyone
        text = text.replace(character, escaped)
    return json.dumps({"text": text, **json.loads(alert.model_dump_json())}, ensure_ascii=False).encode()


def _sent(alert: Alert, sinks: AlertSinks, environment: Mapping[str, str]) -> str:
    try:
        url = sinks.url(environment)
    except InputError as error:
        return f"failed: {error}"
    outcome = post_webhook(url or "", alert_message(alert), environment.get(SIGNED_WITH, ""))
    return outcome if outcome == DELIVERED else f"{outcome} from {webhook_host(url or '')}"


def _repeated(alert: Alert, sinks: AlertSinks, file: Path) -> str | None:
    """The id of the same alert, filed not long ago and, where there is a webhook, sent."""
    filed, outcomes = _read(file)
    since = alert.time - timedelta(seconds=parse_duration(sinks.repeat))
    for earlier in reversed(filed):
        reached = sinks.webhook is None or outcomes.get(earlier.id) == DELIVERED
        if reached and earlier.repeats is None and earlier.about() == alert.about() and earlier.time > since:
            return earlier.id
    return None


def _read(file: Path) -> tuple[list[AlertRecord], dict[str, str]]:
    """Alerts of a file, and what became of them by id; lines cut short by a kill or changed by hand are passed over."""
    content, filed, outcomes = b"", [], {}
    with suppress(OSError):  # the writing that follows says what is wrong with the file
        content = file.read_bytes()
    for line in content.splitlines():
        with suppress(ValidationError):
            filed.append(AlertRecord.model_validate_json(line))
        with suppress(ValidationError):
            outcome = DeliveryRecord.model_validate_json(line)
            outcomes[outcome.of] = outcome.webhook
    return filed, outcomes


def _file(file: Path, line: StrictModel) -> str:
    """Add a line, and see it on the disk; what became of that, in words."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("ab+") as target:
            target.seek(max(0, target.tell() - 1))
            half = target.read() not in (b"", b"\n")  # somebody was killed while writing
            target.write(b"\n" * half + line.model_dump_json().encode() + b"\n")
            target.flush()
            os.fsync(target.fileno())
    except OSError as error:
        return f"file: failed: {file} cannot be written, {error.strerror}"
    return f"file: {file}"

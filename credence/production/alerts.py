"""Alerts: every alert is appended to a file and, if configured, sent to a webhook."""

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
    """Where alerts go.

    A webhook's URL is a secret, so name the environment variable that holds it instead of the URL.
    """

    file: Path | None = Field(
        None, description="file with one line of JSON per alert; default monitoring/alerts.jsonl of the task"
    )
    webhook: str | None = Field(None, description="a URL, or the name of the environment variable that holds it")
    repeat: str = Field(
        "1d", description="time after which the same alert is sent again; until then it is only recorded"
    )

    @field_validator("webhook")
    @classmethod
    def _webhook_is_a_url_or_a_name(cls, webhook: str | None) -> str | None:
        if webhook is None or webhook.startswith(SCHEMES) or re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", webhook):
            return webhook
        raise ValueError("expected a URL that begins with https:// or http://, or the name of an environment variable")

    @field_validator("repeat")
    @classmethod
    def _repeat_is_a_span(cls, repeat: str) -> str:
        try:
            parse_duration(repeat)
        except InputError as error:
            raise ValueError(str(error)) from None
        return repeat

    def url(self, environment: Mapping[str, str] = os.environ) -> str | None:
        """The webhook's URL; None if there is no webhook.

        Raises:
            InputError: The environment variable is not set or holds no URL.
        """
        if self.webhook is None or self.webhook.startswith(SCHEMES):
            return self.webhook
        found = environment.get(self.webhook, "").strip()
        if not found.startswith(SCHEMES):
            wrong = "holds no URL" if found else "is not set"
            raise InputError(f"the environment variable {self.webhook} {wrong}; set it to the webhook's https:// URL.")
        return found


class Alert(StrictModel):
    """An event that a person should know, in one sentence, with its figures."""

    task: str
    kind: str = Field(description="subject, such as drift or performance")
    severity: Literal["info", "warning", "critical"]
    sentence: str
    columns: tuple[str, ...] = ()
    figures: dict[str, float | int | str | bool | None] = {}
    time: AwareDatetime = Field(default_factory=lambda: datetime.now(UTC))
    id: str = Field(default_factory=lambda: uuid.uuid4().hex)

    def identity(self) -> tuple[str, str, list[str]]:
        """What the alerts of one ongoing event have in common: task, kind and sorted columns."""
        return self.task, self.kind, sorted(self.columns)


class AlertRecord(Alert):
    """An alert's line in the file."""

    repeats: str | None = Field(description="the id of the alert that this one repeats")


class DeliveryRecord(StrictModel):
    """The line that records the delivery to the webhook."""

    of: str = Field(description="the id of the alert")
    webhook: str
    time: AwareDatetime = Field(default_factory=lambda: datetime.now(UTC))


def send_alert(alert: Alert, sinks: AlertSinks, environment: Mapping[str, str] = os.environ) -> list[str]:
    """Append an alert to the file, then send it to the webhook.

    A failing sink does not raise. An alert that was already sent within `sinks.repeat` is recorded as a repetition and
    not sent.

    Returns:
        One sentence per sink on what happened.
    """
    file = sinks.file or monitoring_folder(alert.task) / "alerts.jsonl"
    original = _repeated(alert, sinks, file)
    said = [_append(file, AlertRecord(**dict(alert), repeats=original))]
    if sinks.webhook is None:
        return said
    if original is not None:
        return [*said, f"webhook: not sent again, since it was sent within {sinks.repeat}"]
    outcome = _send(alert, sinks, environment)
    _append(file, DeliveryRecord(of=alert.id, webhook=outcome))
    return [*said, f"webhook: {outcome}"]


def alert_message(alert: Alert) -> bytes:
    """The JSON body for the webhook; Slack, Mattermost and similar services show `text`."""
    text = f"[{alert.severity}] {alert.task}, {alert.kind}: {alert.sentence}"
    for character, escaped in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):  # a column's name could mention everyone
        text = text.replace(character, escaped)
    return json.dumps({"text": text, **json.loads(alert.model_dump_json())}, ensure_ascii=False).encode()


def _send(alert: Alert, sinks: AlertSinks, environment: Mapping[str, str]) -> str:
    try:
        url = sinks.url(environment)
    except InputError as error:
        return f"failed: {error}"
    outcome = post_webhook(url or "", alert_message(alert), environment.get(SIGNED_WITH, ""))
    return outcome if outcome == DELIVERED else f"{outcome} from {webhook_host(url or '')}"


def _repeated(alert: Alert, sinks: AlertSinks, file: Path) -> str | None:
    """The id of the same alert, if it was recorded within `sinks.repeat` and reached the webhook, if there is one."""
    recorded, outcomes = _read(file)
    since = alert.time - timedelta(seconds=parse_duration(sinks.repeat))
    for earlier in reversed(recorded):
        reached = sinks.webhook is None or outcomes.get(earlier.id) == DELIVERED
        if reached and earlier.repeats is None and earlier.identity() == alert.identity() and earlier.time > since:
            return earlier.id
    return None


def _read(file: Path) -> tuple[list[AlertRecord], dict[str, str]]:
    """Alerts in a file, and deliveries by alert id; incomplete or invalid lines are skipped."""
    content, recorded, outcomes = b"", [], {}
    with suppress(OSError):  # _append reports what is wrong with the file
        content = file.read_bytes()
    for line in content.splitlines():
        with suppress(ValidationError):
            recorded.append(AlertRecord.model_validate_json(line))
        with suppress(ValidationError):
            outcome = DeliveryRecord.model_validate_json(line)
            outcomes[outcome.of] = outcome.webhook
    return recorded, outcomes


def _append(file: Path, line: StrictModel) -> str:
    """Append a line and flush it to disk; a sentence on what happened."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("ab+") as target:
            target.seek(max(0, target.tell() - 1))
            half = target.read() not in (b"", b"\n")  # a process was killed while writing
            target.write(b"\n" * half + line.model_dump_json().encode() + b"\n")
            target.flush()
            os.fsync(target.fileno())
    except OSError as error:
        return f"file: failed: {file} cannot be written, {error.strerror}"
    return f"file: {file}"

"""Every alert is filed, sent when that is possible, not sent twice, and no failing sink stops anything."""

import hashlib
import hmac
import json
import logging
import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from credence.core.errors import InputError
from credence.core.paths import monitoring_folder
from credence.production import webhook
from credence.production.alerts import Alert, AlertSinks, alert_message, send_alert

NOON = datetime(2025, 6, 1, 12, tzinfo=UTC)


class Receiver:
    """A webhook on this machine that answers with the given statuses in turn, the last one for ever."""

    def __init__(self, *statuses: int, hang: float = 0) -> None:
        self.statuses, self.let_go = list(statuses), threading.Event()
        self.got: list[tuple[dict[str, str], bytes]] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.got.append((dict(self.headers), body))
                if hang:
                    receiver.let_go.wait(hang)
                self.send_response(receiver.statuses.pop(0) if len(receiver.statuses) > 1 else receiver.statuses[0])
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/services/T0/very-secret"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    def close(self) -> None:
        self.let_go.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture(autouse=True)
def _in_no_hurry_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook, "PAUSES", (0.0, 0.0))


@pytest.fixture
def receivers() -> Iterator[Any]:
    made: list[Receiver] = []

    def make(*statuses: int, hang: float = 0) -> Receiver:
        made.append(Receiver(*statuses, hang=hang))
        return made[-1]

    yield make
    for receiver in made:
        receiver.close()


def alert(kind: str = "drift", minutes: int = 0, **other: Any) -> Alert:
    about: dict[str, Any] = {
        "task": "tumours",
        "severity": "warning",
        "sentence": "size moved by 0.4 of its spread.",
        "columns": ("size",),
        "figures": {"rows": 5000, "effect": 0.4},
        "time": NOON + timedelta(minutes=minutes),
    }
    return Alert(kind=kind, **{**about, **other})


def lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_an_alert_is_a_line_of_the_task_s_file() -> None:
    file = monitoring_folder("tumours") / "alerts.jsonl"
    try:
        assert send_alert(alert(), AlertSinks()) == [f"file: {file}"]
        (line,) = lines(file)
    finally:
        file.unlink()
    assert (line["task"], line["kind"], line["repeats"]) == ("tumours", "drift", None)
    assert line["figures"] == {"rows": 5000, "effect": 0.4}


def test_a_webhook_gets_it_with_a_text_to_show(receivers: Any, tmp_path: Path) -> None:
    receiver = receivers(200)
    sinks = AlertSinks(file=tmp_path / "deep" / "alerts.jsonl", webhook=receiver.url)
    assert send_alert(alert(), sinks, {}) == [f"file: {sinks.file}", "webhook: delivered"]
    ((headers, body),) = receiver.got
    assert json.loads(body)["text"] == "[warning] tumours, drift: size moved by 0.4 of its spread."
    assert json.loads(body)["columns"] == ["size"]
    assert headers["Content-Type"] == "application/json" and webhook.SIGNED not in headers
    first, second = lines(tmp_path / "deep" / "alerts.jsonl")
    assert (second["of"], second["webhook"]) == (first["id"], "delivered")


def test_a_secret_signs_what_is_sent(receivers: Any, tmp_path: Path) -> None:
    receiver = receivers(204)
    send_alert(
        alert(),
        AlertSinks(file=tmp_path / "a", webhook="HOOK"),
        {"HOOK": receiver.url, "CREDENCE_WEBHOOK_SECRET": "s3cret"},
    )
    ((headers, body),) = receiver.got
    assert headers[webhook.SIGNED] == "sha256=" + hmac.new(b"s3cret", body, hashlib.sha256).hexdigest()


@pytest.mark.parametrize(
    ("statuses", "tries", "outcome"),
    [
        ([500, 200], 2, "delivered"),
        ([429, 503, 200], 3, "delivered"),
        ([500], 3, "failed: status 500 from 127.0.0.1"),
        ([404, 200], 1, "failed: status 404 from 127.0.0.1"),
        ([302, 200], 1, "failed: status 302 from 127.0.0.1"),
    ],
)
def test_it_is_tried_again_where_that_may_help(
    receivers: Any, tmp_path: Path, statuses: list[int], tries: int, outcome: str
) -> None:
    receiver = receivers(*statuses)
    said = send_alert(alert(), AlertSinks(file=tmp_path / "a", webhook=receiver.url), {})
    assert said[1] == f"webhook: {outcome}"
    assert len(receiver.got) == tries
    assert len({body for _, body in receiver.got}) == 1
    assert lines(tmp_path / "a")[1]["webhook"] == outcome


def test_a_webhook_that_is_not_there_fails_nothing(tmp_path: Path) -> None:
    with socket.socket() as closed:  # bound, so that nobody else listens there, and not listening
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/very-secret"
        said = send_alert(alert(), AlertSinks(file=tmp_path / "a", webhook=url), {})
    assert said[1] == "webhook: failed: no connection from 127.0.0.1"


def test_a_webhook_that_hangs_is_given_up(receivers: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook, "SECONDS", 0.1)
    receiver = receivers(200, hang=60)
    said = send_alert(alert(), AlertSinks(file=tmp_path / "a", webhook=receiver.url), {})
    assert said[1] == "webhook: failed: no answer within 0.1 s from 127.0.0.1"


def test_the_address_is_written_nowhere(
    receivers: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("httpx"), "disabled", False)
    caplog.set_level(logging.DEBUG)
    httpx.post(f"{receivers(200).url}/harmless", content=b"")
    for receiver in (receivers(200), receivers(500), receivers(404)):
        said = send_alert(alert(), AlertSinks(file=tmp_path / "a", webhook=receiver.url), {})
        assert "very-secret" not in "".join(said)
    assert "very-secret/harmless" in caplog.text, "httpx does tell its log, so that hiding it is worth a test"
    assert caplog.text.count("very-secret") == 1
    assert "very-secret" not in (tmp_path / "a").read_text()


@pytest.mark.parametrize("value", [None, "", "hooks.example.com/very-secret"])
def test_a_variable_without_an_address_is_said(tmp_path: Path, value: str | None) -> None:
    sinks = AlertSinks(file=tmp_path / "a", webhook="ALERT_HOOK")
    environment = {} if value is None else {"ALERT_HOOK": value}
    said = send_alert(alert(), sinks, environment)
    assert said[1].startswith("webhook: failed: the environment variable ALERT_HOOK ")
    assert "set it to the webhook's https:// URL" in said[1] and "very-secret" not in said[1]
    with pytest.raises(InputError, match="the environment variable ALERT_HOOK"):
        sinks.url(environment)


def test_an_address_that_is_none_is_said(tmp_path: Path) -> None:
    said = send_alert(alert(), AlertSinks(file=tmp_path / "a", webhook="http://[::1/very-secret"), {})
    assert said[1] == "webhook: failed: the address is not a URL from ?"


def test_the_same_alert_is_filed_again_but_sent_once(receivers: Any, tmp_path: Path) -> None:
    receiver, file = receivers(200), tmp_path / "a"
    sinks = AlertSinks(file=file, webhook=receiver.url, repeat="1h")
    first = alert()
    send_alert(first, sinks, {})
    for minutes in (10, 59):
        said = send_alert(alert(minutes=minutes, sentence="other words"), sinks, {})
        assert said[1] == "webhook: not sent again, since it was sent within 1h"
    assert [line["repeats"] for line in lines(file) if "repeats" in line] == [None, first.id, first.id]
    assert len(receiver.got) == 1
    send_alert(alert(minutes=61), sinks, {})
    assert len(receiver.got) == 2, "after the span it is news again"


@pytest.mark.parametrize("other", [{"kind": "latency"}, {"columns": ("size", "weight")}, {"task": "reviews"}])
def test_another_alert_is_sent_at_once(receivers: Any, tmp_path: Path, other: dict[str, Any]) -> None:
    receiver = receivers(200)
    sinks = AlertSinks(file=tmp_path / "a", webhook=receiver.url)
    send_alert(alert(), sinks, {})
    send_alert(alert(minutes=1, **other), sinks, {})
    assert len(receiver.got) == 2


def test_what_was_never_delivered_is_tried_again(receivers: Any, tmp_path: Path) -> None:
    receiver = receivers(404, 200)
    sinks = AlertSinks(file=tmp_path / "a", webhook=receiver.url)
    assert send_alert(alert(), sinks, {})[1].startswith("webhook: failed")
    assert send_alert(alert(minutes=1), sinks, {})[1] == "webhook: delivered"
    assert send_alert(alert(minutes=2), sinks, {})[1].startswith("webhook: not sent again")


def test_without_a_webhook_a_repetition_is_marked(tmp_path: Path) -> None:
    sinks, first = AlertSinks(file=tmp_path / "a"), alert()
    send_alert(first, sinks)
    send_alert(alert(minutes=1), sinks)
    assert [line["repeats"] for line in lines(tmp_path / "a")] == [None, first.id]


def test_a_file_that_cannot_be_written_does_not_stop_the_webhook(receivers: Any, tmp_path: Path) -> None:
    receiver, nowhere = receivers(200), tmp_path / "folder"
    nowhere.mkdir()
    said = send_alert(alert(), AlertSinks(file=nowhere, webhook=receiver.url), {})
    assert said == [f"file: failed: {nowhere} cannot be written, Is a directory", "webhook: delivered"]


@pytest.mark.parametrize("rest", [b'{"task": "tum', b"\xff\xfe\n", b"[1]\nnull\n", b'{"of": 3}\n'])
def test_a_damaged_file_is_written_on(tmp_path: Path, rest: bytes) -> None:
    file, first = tmp_path / "a", alert()
    send_alert(first, AlertSinks(file=file))
    with file.open("ab") as target:
        target.write(rest)
    send_alert(alert(minutes=1), AlertSinks(file=file))
    assert json.loads(file.read_bytes().splitlines()[-1])["repeats"] == first.id


@given(sentence=st.text(max_size=80), figure=st.floats())
def test_any_sentence_and_figure_makes_one_valid_message(sentence: str, figure: float) -> None:
    body = alert_message(alert(sentence=sentence.encode(errors="replace").decode(), figures={"x": figure}))
    read = json.loads(body, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert not set(read["text"]) & set("<>")


@pytest.mark.parametrize(
    "wrong",
    [{"webhook": "hooks.slack.com/x"}, {"webhook": "ftp://x"}, {"webhook": ""}, {"repeat": "soon"}, {"fil": "x"}],
)
def test_sinks_that_cannot_work_are_refused_when_read(wrong: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        AlertSinks(**wrong)  # type: ignore[arg-type]


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValidationError):
        alert(time=datetime(2025, 1, 1))

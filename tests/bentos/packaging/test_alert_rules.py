"""The alert rules ask for what the service really says under /metrics, and fire when they should and only then."""

import json
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from bentos.packaging.build import store_predictor
from bentos.packaging.local_server import serve_locally
from bentos.packaging.parity_check import rows_as_requests
from credence.core.paths import monitoring_folder
from tests.support.serving_cases import client, kept, trained
from tests.support.small_kinds import small

FOLDER = Path(__file__).parents[3] / "stacks" / "prometheus"
RULES = FOLDER / "alerts.yml"
ENDPOINTS = ("/predict", "/batch_predict", "/explain", "/feedback")
OF_PROMETHEUS = {"job", "instance", "le"}
Series = dict[tuple[str, tuple[tuple[str, str], ...]], float]
MINUTES = 30

needs_promtool = pytest.mark.skipif(
    not shutil.which("promtool"), reason="promtool (Debian: prometheus) is not installed"
)


def rules() -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]


def panels() -> list[dict[str, Any]]:
    return list(json.loads((FOLDER / "grafana.json").read_text())["panels"])


def asked() -> list[str]:
    """Every expression of the rules and of the dashboard."""
    return [r["expr"] for r in rules()] + [t["expr"] for panel in panels() for t in panel.get("targets", [])]


def scraped(text: str) -> Series:
    families = text_string_to_metric_families(text)
    return {(s.name, tuple(sorted(s.labels.items()))): s.value for f in families for s in f.samples}


def told(read: Callable[[], str], name: str = "credence_drift") -> Series:
    """A scrape with the figures that a worker adds by and by."""
    for _ in range(100):
        if name in (text := read()):
            break
        time.sleep(0.1)
    return scraped(text)


def says_drift(task: str, verdict: str) -> None:
    monitoring_folder(task).mkdir(parents=True, exist_ok=True)
    (monitoring_folder(task) / "latest.json").write_text(json.dumps({"verdict": verdict}))


@pytest.fixture(scope="module")
def metrics(tmp_path_factory: pytest.TempPathFactory) -> Series:
    """What a service in this process says after one answer."""
    predictor, test = trained(small("logistic"), "ruled")
    says_drift("ruled", "quiet")
    with client(kept(predictor, tmp_path_factory.mktemp("ruled") / "predictor"), "ruled") as http:
        assert http.post("/predict", json=rows_as_requests(test.head(1), predictor)[0]).status_code == 200
        for endpoint in ENDPOINTS:
            assert http.post(endpoint, content=b"?").status_code == 400
        return told(lambda: http.get("/metrics").text)


def test_every_metric_that_is_asked_for_is_there(metrics: Series) -> None:
    known = {name for name, _ in metrics} | {r["record"] for r in rules() if "record" in r}
    for expression in asked():
        named = set(re.findall(r"\b[a-z]+:[a-z0-9_:]+|\b(?:bentoml|credence)_\w+", expression)) - {"credence_task"}
        assert named, expression
        assert named <= known, f"{named - known} in {expression}"


def test_every_label_that_is_asked_for_is_there(metrics: Series) -> None:
    labels = {label for _, pairs in metrics for label, _ in pairs} | OF_PROMETHEUS
    for expression in asked():
        matched = set(re.findall(r"[{,]\s*(\w+)\s*(?:=~|!~|!=|=)", expression))
        grouped = {
            w for inner in re.findall(r"(?:by|on|group_left) \(([^)]*)\)", expression) for w in inner.split(", ")
        }
        assert (matched | grouped) <= labels, expression


def test_errors_are_counted_at_every_endpoint_that_answers_and_nowhere_else() -> None:
    wanted = {paths for expression in asked() for paths in re.findall(r'endpoint=~"([^"]+)"', expression)}
    assert wanted == {"|".join(ENDPOINTS)}


def test_every_alert_waits_and_says_what_to_do() -> None:
    alerts = [r for r in rules() if "alert" in r]
    assert len({a["alert"] for a in alerts}) == len(alerts) >= 5
    for alert in alerts:
        assert re.fullmatch(r"\d+m", alert["for"])
        assert alert["labels"]["severity"] in {"info", "warning", "critical"}
        assert set(alert["annotations"]) == {"summary", "action"}


def test_the_documentation_lists_them() -> None:
    page = (FOLDER.parent.parent / "docs" / "how-to" / "send-alerts.md").read_text()
    listed = dict(re.findall(r"^\| `(Credence\w+)` \|.*\| (\d+) min \|$", page, re.MULTILINE))
    assert listed == {a["alert"]: a["for"].removesuffix("m") for a in rules() if "alert" in a}


@needs_promtool
def test_prometheus_takes_the_rules() -> None:
    done = subprocess.run(
        ["promtool", "check", "rules", "--lint-fatal", str(RULES)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def replayed(before: Series, after: Series) -> dict[str, str]:
    """Two scrapes as series of Prometheus: what grew between them grows as much every minute."""
    found = {}
    for (name, labels), value in after.items():
        known = ",".join(f'{k}="{v}"' for k, v in (*labels, ("job", "credence"), ("instance", "a:3000")))
        growth = (
            0.0
            if name in ("credence_drift", "credence_latency_bound_seconds")
            else value - before.get((name, labels), 0)
        )
        found[f"{name}{{{known}}}"] = f"{value:g}+{growth:g}x{MINUTES}"
    return found


def evaluated(series: dict[str, str], folder: Path, firing: set[str], at: str = "25m", exactly: Any = ()) -> None:
    """Let promtool replay the series, and see that these alerts fire then and no other."""
    samples = [{"labels": f'{{alertname="{name}"}}', "value": 1} for name in sorted(firing)]
    expression = 'group by (alertname) (ALERTS{alertstate="firing"})'
    test = {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "promql_expr_test": [{"expr": expression, "eval_time": at, "exp_samples": samples}],
        "alert_rule_test": list(exactly),
    }
    (folder / "test.yml").write_text(
        yaml.safe_dump({"rule_files": [str(RULES)], "evaluation_interval": "1m", "tests": [test]})
    )
    done = subprocess.run(
        ["promtool", "test", "rules", "test.yml"], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def one(series: dict[str, str], *parts: str) -> str:
    (found,) = [name for name in series if all(part in name for part in parts)]
    return found


def grown(series: dict[str, str], **per_minute: float) -> dict[str, str]:
    """The same series, but those whose names hold the key grow at another pace."""
    return {**series, **{name: f"0+{pace:g}x{MINUTES}" for name, pace in per_minute.items()}}


class Server:
    """A real server, its scrapes, and what to send it."""

    def __init__(self, url: str, rows: list[dict[str, Any]], strange: list[dict[str, Any]]) -> None:
        self.url, self.rows, self.strange = url, rows, strange

    def scrape(self) -> Series:
        return told(lambda: httpx.get(f"{self.url}/metrics").text)

    def ask(self, rows: list[dict[str, Any]]) -> None:
        for row in rows[:10]:
            assert httpx.post(f"{self.url}/predict", json=row).status_code == 200
        assert httpx.post(f"{self.url}/batch_predict", json={"rows": rows}).status_code == 200


@pytest.fixture(scope="module", params=[1000.0, 0.01], ids=["calm", "strained"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Calm: it has a second for every answer. Strained: it has ten microseconds."""
    name = "calm" if request.param > 1 else "strained"
    predictor, test = trained(small("logistic"), name)
    predictor.info = predictor.info.model_copy(update={"latency_ms": request.param})
    says_drift(name, "watch" if name == "calm" else "drift")
    answers = predictor.predict(test)
    sure = rows_as_requests(test[~answers["abstain"]].head(20), predictor) * 10
    strange = [{k: 1e9 if isinstance(v, float) else v for k, v in row.items()} for row in sure]
    tag = store_predictor(kept(predictor, tmp_path_factory.mktemp(name) / "predictor"), name, "1")
    with serve_locally("bentos.service:Credence", {"CREDENCE_MODEL": tag}) as url:
        yield Server(url, sure, strange)


@needs_promtool
@pytest.mark.slow
@pytest.mark.parametrize("server", [1000.0], ids=["calm"], indirect=True)
class TestCalm:
    """A server in good order, and what is done to it."""

    @pytest.fixture(scope="class")
    def series(self, server: Server) -> dict[str, str]:
        """Good answers, wrong questions, unknown pages and health checks."""
        server.ask(server.rows)
        before = server.scrape()
        server.ask(server.rows)
        for _ in range(50):
            assert httpx.post(f"{server.url}/predict", json={}).status_code == 400
            httpx.get(f"{server.url}/nowhere")
            httpx.get(f"{server.url}/health")
        return replayed(before, server.scrape())

    def test_nothing_fires(self, series: dict[str, str], tmp_path: Path) -> None:
        evaluated(series, tmp_path, set())

    @pytest.mark.parametrize(("share", "fires"), [(0.049, False), (0.10, True)])
    def test_failures_fire_beyond_one_in_twenty(
        self, series: dict[str, str], tmp_path: Path, share: float, fires: bool
    ) -> None:
        only = {name: values for name, values in series.items() if "bentoml_service_request_total" not in name}
        good = one(series, "request_total", '"/predict"', '"200"')
        bad = one(series, "request_total", '"/predict"', '"500"')
        told = {
            "summary": "calm: 10% of the requests of five minutes failed (5xx)",
            "action": "Read the service's log. If it began with a promotion, go back: "
            'python run.py --pipeline promotion --task calm --to previous --reason "errors"',
        }
        labels = {"severity": "critical", "job": "credence", "task": "calm"}
        exactly = {"alertname": "CredenceErrors", "eval_time": "25m"}
        exactly["exp_alerts"] = [{"exp_labels": labels, "exp_annotations": told}] if fires else []
        paced = grown(only, **{good: 1000 * (1 - share), bad: 1000 * share})
        evaluated(paced, tmp_path, {"CredenceErrors"} if fires else set(), exactly=[exactly])

    def test_a_burst_of_failures_is_over_when_it_is_over(self, series: dict[str, str], tmp_path: Path) -> None:
        bad = one(series, "request_total", '"/predict"', '"500"')
        burst = {**series, bad: "0x4 0+1000x5 5000x30"}
        evaluated(burst, tmp_path, {"CredenceErrors"}, at="8m")
        evaluated(burst, tmp_path, set(), at="25m")

    def test_dropped_records_and_a_silent_challenger_fire(self, series: dict[str, str], tmp_path: Path) -> None:
        drops, fails = one(series, "log_dropped_total"), one(series, "shadow_failures_total")
        evaluated(grown(series, **{drops: 1}), tmp_path, {"CredenceLogDrops"})
        evaluated(grown(series, **{fails: 1}), tmp_path, {"CredenceShadowFails"})

    def test_a_server_that_is_gone_fires(self, series: dict[str, str], tmp_path: Path) -> None:
        ended = {name: f"{values} stale" for name, values in series.items()}
        evaluated(ended, tmp_path, set(), at="25m")
        evaluated(ended, tmp_path, {"CredenceGone"}, at="50m")


@needs_promtool
@pytest.mark.slow
@pytest.mark.parametrize("server", [0.01], ids=["strained"], indirect=True)
def test_slow_unsure_and_drifting_answers_fire(server: Server, tmp_path: Path) -> None:
    server.ask(server.rows)
    before = server.scrape()
    server.ask(server.rows)
    evaluated(replayed(before, server.scrape()), tmp_path, {"CredenceSlow", "CredenceDrift"})
    before = server.scrape()
    server.ask(server.strange)
    evaluated(replayed(before, server.scrape()), tmp_path, {"CredenceSlow", "CredenceDrift", "CredenceUnsure"})

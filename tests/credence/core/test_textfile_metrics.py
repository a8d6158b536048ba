"""Figures of a job that ends: on the disk whatever its end is, always whole, and never the reason that it fails."""

import logging
import threading
import time
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, Counter, values
from prometheus_client.parser import text_string_to_metric_families

from credence.core import textfile_metrics
from credence.core.errors import InputError
from credence.core.paths import generation_folder
from credence.core.textfile_metrics import export_metrics
from credence.generation.generate import generate
from credence.generation.ledger import LedgerReader
from credence.generation.section import Generation


def read(file: Path) -> dict[tuple[str, tuple[str, ...]], float]:
    """Name and values of the labels -> value, as Prometheus reads the file."""
    families = text_string_to_metric_families(file.read_text(encoding="utf-8"))
    return {(s.name, tuple(s.labels.values())): s.value for family in families for s in family.samples}


@pytest.fixture(autouse=True)
def _one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a job: with the folder that several processes share, all registries of a process share their values."""
    monkeypatch.setattr(values, "ValueClass", values.MutexValue)


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def calls(registry: CollectorRegistry) -> Counter:
    return Counter("calls", "calls made", ["end"], registry=registry)


def test_the_last_figures_are_in_the_file(tmp_path: Path, registry: CollectorRegistry, calls: Counter) -> None:
    file = tmp_path / "deep" / "er" / "metrics.prom"
    with export_metrics(registry, file):
        calls.labels('a "b"\n\\c').inc(2)
        assert not file.exists()
    assert read(file)["calls_total", ('a "b"\n\\c',)] == 2
    assert [f.name for f in file.parent.iterdir()] == ["metrics.prom"]


@pytest.mark.parametrize("error", [InputError("so"), RuntimeError("so"), KeyboardInterrupt(), SystemExit(3)])
def test_whatever_the_end_is(tmp_path: Path, registry: CollectorRegistry, calls: Counter, error: BaseException) -> None:
    def job() -> None:
        with export_metrics(registry, tmp_path / "m.prom"):
            calls.labels("x").inc()
            raise error

    with pytest.raises(type(error)) as raised:
        job()
    assert raised.value is error and read(tmp_path / "m.prom")["calls_total", ("x",)] == 1
    assert "metrics" not in {thread.name for thread in threading.enumerate()}


def test_the_file_follows_the_job_and_is_whole_whenever_it_is_read(
    tmp_path: Path, registry: CollectorRegistry, calls: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(textfile_metrics, "WRITE_INTERVAL_SECONDS", 0.0005)
    file, seen = tmp_path / "m.prom", []
    for i in range(300):
        calls.labels(f"{i}").inc()
    with export_metrics(registry, file):
        end = time.monotonic() + 20
        while len(set(seen)) < 5 and time.monotonic() < end:
            calls.labels("0").inc()
            if file.exists():
                found = read(file)
                assert sum(name == "calls_total" for name, _ in found) == 300
                seen.append(found["calls_total", ("0",)])
    assert len(set(seen)) >= 5 and seen == sorted(seen)


def test_a_file_that_cannot_be_written_does_not_end_the_job(
    tmp_path: Path, registry: CollectorRegistry, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(textfile_metrics, "WRITE_INTERVAL_SECONDS", 0.001)
    (tmp_path / "no folder").write_text("")
    for file in (tmp_path / "no folder" / "m.prom", tmp_path):
        caplog.clear()
        done = False
        with caplog.at_level(logging.WARNING), export_metrics(registry, file):
            time.sleep(0.05)
            done = True
        assert done and len(caplog.records) > 1
        assert caplog.records[-1].getMessage().startswith(f"{file}: metrics are not written (")


def test_what_ails_the_job_is_told_and_not_what_ails_its_figures(tmp_path: Path, registry: CollectorRegistry) -> None:
    with pytest.raises(InputError, match="the real reason"), export_metrics(registry, tmp_path):
        raise InputError("the real reason")


def test_a_generation_leaves_its_figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CREDENCE_HOME", str(tmp_path))
    done = generate("mine", Generation(providers=[{"kind": "offline"}], rows=24))
    found = read(generation_folder("mine") / "metrics.prom")
    accepted = {labels: value for (name, labels), value in found.items() if name == "items_total"}
    with LedgerReader(done.folder) as reader:
        counts = {(c["category"], c["label"], "accepted"): c["committed"] for c in reader.counts().to_pylist()}
        assert {labels: n for labels, n in accepted.items() if labels[2] == "accepted"} == counts
        assert found["llm_requests_total", ("offline", "arithmetic", "ok")] == reader.attempts().num_rows
    assert found["llm_cost_usd_total", ("offline", "arithmetic")] == 0


def test_a_generation_without_a_home_says_so_in_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("CREDENCE_HOME", str(tmp_path / "file"))
    with pytest.raises(InputError, match=r"no ledger can be kept there .* set CREDENCE_HOME to a folder"):
        generate("mine", Generation(providers=[{"kind": "offline"}], rows=24))

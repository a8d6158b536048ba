"""kill -9 and Ctrl-C, again and again, amid calls to a real server: nothing is lost, and little is paid for twice."""

import json
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from credence.generation.generate import generate
from credence.generation.ledger.group_commit import MAX_ROWS
from credence.generation.section import Generation
from tests.support.generation_cases import PRICE, Held, exported, provider, section
from tests.support.generation_runs import Server, Wish, served, started

IN_FLIGHT = 32


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with served() as found:
        yield found


def wished(wanted: Generation, home: Path, **more: Any) -> Wish:
    return Wish(str(home), wanted.model_dump(mode="json", exclude_unset=True), **more)


def undisturbed(wanted: Generation, folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The hash of what a run exports that nobody kills."""
    monkeypatch.setenv("CREDENCE_HOME", str(folder / "whole"))
    monkeypatch.setenv("FAKE_KEY", "sk-of-nobody")
    return exported(generate("killed", wanted).folder, folder / "whole.parquet")


def kill(wish: Wish, most_seconds: float) -> dict[str, Any]:
    """What the process says that killed so many runs and let the last one live."""
    killer = started("kill", wish)
    try:
        told = killer.communicate(timeout=most_seconds)[0]
    finally:
        killer.kill()
    assert killer.returncode == 0
    found: dict[str, Any] = json.loads(told.splitlines()[-1])
    return found


@pytest.mark.parametrize(
    ("kind", "kills", "rows", "longest"),
    [
        ("openai", 6, 160, 0.15),
        pytest.param("openai", 100, 4000, 0.6, marks=pytest.mark.slow),
        pytest.param("anthropic", 100, 4000, 0.6, marks=pytest.mark.slow),
    ],
)
def test_killed_runs_end_where_an_undisturbed_one_does(
    server: Server,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    kills: int,
    rows: int,
    longest: float,
) -> None:
    server.does(latency=0.03)
    wanted = section(provider(server.url, kind, read_seconds=20, total_seconds=30), rows=rows)
    done = kill(wished(wanted, tmp_path / "home", kills=kills, seed=7, longest=longest), 60 + 12 * kills)
    saw, held = server.saw(), Held(Path(done["folder"]))
    assert not done["faults"] and held.balanced and len(held.rows) == rows
    again = saw["calls"] - saw["unique"]
    print(f"{kind}: {done['killed']} of {kills} kills hit a run; {again} calls paid again, {again / kills:.1f} a kill")
    assert done["killed"] >= 0.9 * kills and again <= kills * (IN_FLIGHT + MAX_ROWS)
    assert again > 0 and saw["retry_counts"] == ["0"]
    billed = 1000 * sum(PRICE[which] * saw["billed"][which] for which in PRICE)
    assert 0 < billed <= held.spent.total, "a call whose end was lost counts as spent"
    assert exported(Path(done["folder"]), tmp_path / "killed.parquet") == undisturbed(wanted, tmp_path, monkeypatch)


@pytest.mark.slow
def test_an_interrupted_process_ends_soon_and_another_finishes_its_work(server: Server, tmp_path: Path) -> None:
    """The calls in flight would take an hour: only breaking them off ends the process."""
    server.does(latency=0.3, silent_after=30)
    patient = {"read_seconds": 3000, "total_seconds": 3000}
    wanted = section(*(provider(server.url, kind, **patient) for kind in ("openai", "anthropic")), rows=160)
    _interrupt(server, wished(wanted, tmp_path))
    [folder] = (tmp_path / "killed/ledger").iterdir()
    held, saw = Held(folder), server.saw()
    assert 0 < len(held.rows) < 160 and saw["calls"] <= len(held.calls)
    assert held.spent.reserved == 0
    server.does()
    other = started("run", wished(wanted, tmp_path))
    assert json.loads(other.communicate(timeout=120)[0].splitlines()[-1]) == {"stopped": None}
    assert Held(folder).balanced and server.saw()["calls"] <= 160 - len(held.rows)


def _interrupt(server: Server, wish: Wish) -> None:
    """Press Ctrl-C amid a process's work, while calls are in flight, and wait for its end."""
    run = started("run", wish)
    try:
        while ((saw := server.saw())["answered"] < 20 or not saw["in_flight"]) and run.poll() is None:
            time.sleep(0.02)
        run.send_signal(signal.SIGINT)
        assert run.wait(timeout=300) == 130
    finally:
        run.kill()
        run.communicate()


@pytest.mark.slow
def test_two_processes_do_not_write_one_ledger(server: Server, tmp_path: Path) -> None:
    server.does(always="hang")
    wish = wished(section(provider(server.url, "openai", read_seconds=60, total_seconds=60)), tmp_path)
    first = started("run", wish)
    try:
        while not server.saw()["calls"]:
            time.sleep(0.02)
        said = started("run", wish, stderr=subprocess.PIPE).communicate(timeout=60)[1]
        assert f"another run (process {first.pid}) writes this ledger" in said and len(said.splitlines()) == 1
        assert first.poll() is None
    finally:
        first.kill()
        first.communicate()

"""Surroundings that break: a full disk, a server that is gone, a champion that is gone, Ctrl-C, two runs at once."""

import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bentos.packaging.local_server import serve_locally
from credence.core.errors import InputError
from tests.support.project_copy import Project

pytestmark = pytest.mark.slow

NAME = "churn"
TASK = """question: Does the customer leave?
source: {kind: csv, path: table.csv}
columns: {label: churn, positive: yes}
models: [{kind: logistic}]
gate: {metric: accuracy, minimum: 0.5}
"""
RUN = ("--task", NAME, "--no-deploy")
SIZE = "8m"


def table(project: Project, visits: str = "visits", rows: int = 600) -> None:
    """A table whose answer a line can learn."""
    lines = [f"{20 + i % 50},{i * 37 % 11},{'yes' if (i % 50) + (i * 37 % 11) > 28 else 'no'}" for i in range(rows)]
    (project.folder / "table.csv").write_text("\n".join([f"age,{visits},churn", *lines]))


def copied(folder: Path) -> Project:
    project = Project.copy(folder)
    (folder / "tasks" / f"{NAME}.yaml").write_text(TASK)
    table(project)
    return project


def changed(k: int) -> tuple[str, ...]:
    """Flags that make a run train again instead of taking everything from the cache."""
    return "--set", f"models=[{{kind: logistic, C: {1 + k / 10}}}]"


def sentence(done: "subprocess.CompletedProcess[str]") -> str:
    """The one sentence with which a run refused."""
    assert done.returncode == 2, done.stdout + done.stderr
    assert "Traceback" not in done.stderr and "Traceback" not in done.stdout, done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1 and done.stderr.splitlines()[-1] == lines[0], done.stderr
    return lines[0]


def succeeded(done: "subprocess.CompletedProcess[str]") -> str:
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def champion(project: Project) -> str:
    """The only champion, of the same number in both registries."""
    state = project.registries(NAME)
    found = [number for number, stage in state["stages"].items() if stage == "production"]
    assert found == [state["alias"]], state
    return found[0]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project with a champion; every test leaves it with one."""
    made = copied(tmp_path_factory.mktemp("hostile"))
    assert "promote: " in succeeded(made.run(*RUN))
    return made


@contextmanager
def disk(place: Path) -> Iterator[None]:
    """A small disk of its own, mounted there."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount a disk")
    mounted = mount("-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(place))
    if mounted.returncode:
        pytest.skip(f"no disk can be mounted here: {mounted.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def mount(*options: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(["mount", *options], capture_output=True, text=True, check=False)


def fill(place: Path, spare: int) -> Path:
    """Leave so many kibibytes."""
    left, file = shutil.disk_usage(place).free // 1024 - spare, place / "filling"
    file.write_bytes(bytes(1024 * left))
    return file


def test_a_full_and_a_read_only_disk(tmp_path: Path) -> None:
    """Nothing is promoted, nothing is lost, and once there is room the same command succeeds."""
    project, store = copied(tmp_path), tmp_path / "stores" / "zenml"
    with disk(store):
        succeeded(project.run(*RUN))
        for k, spare in enumerate((0, 64, 400), 1):
            filling = fill(store, spare)
            assert "the disk is full" in sentence(project.run(*RUN, *changed(k)))
            filling.unlink()
            assert champion(project) == "1"
        assert mount("-o", "remount,ro", str(store)).returncode == 0
        assert "read-only" in sentence(project.run(*RUN, *changed(4)))
        assert mount("-o", "remount,rw", str(store)).returncode == 0
        assert champion(project) == "1"
        succeeded(project.run(*RUN, *changed(1)))
        champion(project)


FAR = """
import sys
from zenml.client import Client
client = Client()
tracker = client.create_stack_component("far", "mlflow", "experiment_tracker", {
    "tracking_uri": "http://127.0.0.1:" + sys.argv[1],
    "tracking_username": "me", "tracking_password": "secret-of-mine"})
parts = {role: part[0].id for role, part in client.get_stack("default").components.items()}
client.create_stack("far", {**parts, "experiment_tracker": tracker.id})
print("ASKED")
"""


def test_a_tracker_that_is_not_there(project: Project) -> None:
    before = champion(project)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = str(closed.getsockname()[1])
        (project.folder / "far.py").write_text(FAR)
        project.python("far.py", port)
        said = sentence(project.run(*RUN, *changed(20), "--stack", "far"))
    assert "does not answer" in said and f"127.0.0.1:{port}" in said
    assert "secret-of-mine" not in said
    assert succeeded(project.run(*RUN, *changed(20)))
    assert champion(project) == before


def test_a_stack_without_a_tracker(project: Project) -> None:
    """The verdict is reached without MLflow, and MLflow's registry follows at the next run that has one."""
    succeeded(project.run(*RUN, *changed(21), "--stack", "default"))
    succeeded(project.run(*RUN, *changed(21)))
    champion(project)


def test_a_port_in_use_is_refused_before_anything_starts() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(InputError, match=f"port {port} .* is in use"), serve_locally(port=port):
            pytest.fail("it started")


def test_a_champion_whose_columns_are_no_longer_there(project: Project) -> None:
    before = champion(project)
    table(project, visits="calls")
    said = succeeded(project.run(*RUN))
    table(project)
    assert "hold: The champion cannot answer today's rows: " in said and "'visits'" in said, said
    assert champion(project) == before


FOLDER = """
import sys
from zenml.client import Client
print("ASKED", Client().get_model_version(sys.argv[1], "production").get_artifact("promoted").uri)
"""


def test_a_champion_whose_files_are_gone(project: Project) -> None:
    before = champion(project)
    (project.folder / "folder.py").write_text(FOLDER)
    place = Path(project.python("folder.py", NAME))
    aside = place.rename(place.with_name("aside"))
    try:
        for command in ((*RUN, *changed(22)), ("--pipeline", "deployment", "--task", NAME)):
            said = sentence(project.run(*command))
            assert f"{NAME}:{before}" in said and str(place) in said and "put them back" in said, said
    finally:
        aside.rename(place)
    succeeded(project.run(*RUN, *changed(22)))
    assert champion(project) == before


@pytest.mark.parametrize("line", ["starting ZenML", "learned from", "is the challenger"])
def test_ctrl_c(line: str, project: Project) -> None:
    before = champion(project)
    flags = (*RUN, *changed(30 + len(line)))
    process = project.start(*flags)
    assert process.stderr is not None
    assert any(line in said for said in process.stderr), "it ended before that line"
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    said = [line for line in err.splitlines() if not line.startswith("  ")]
    assert said == [
        "stopped; the champion is what it was, and what is done is kept: the same command goes on from there."
    ], err
    succeeded(project.run(*flags))
    assert champion(project) == before


def test_two_runs_at_once(tmp_path: Path) -> None:
    """On a store that exists; whichever is later judges itself against the earlier or becomes a version beside it."""
    project = copied(tmp_path)
    succeeded(project.run(*RUN))
    gate = ("--set", "gate={metric: accuracy, margin: 0.9, minimum: 0.1, calibration_error: false, coverage: false}")
    processes = [project.start(*RUN, *changed(k), *gate) for k in (-9.9, 9)]
    told = [process.communicate(timeout=300) for process in processes]
    assert [p.returncode for p in processes] == [0, 0], told
    champion(project)
    succeeded(project.run(*RUN))
    champion(project)


KEEP = """
from typing import Annotated
import pandas as pd
from zenml import pipeline, step

@step
def write_rows() -> Annotated[pd.DataFrame, "churn.rows"]:
    return pd.read_csv("table.csv")

@pipeline
def generation() -> None:
    write_rows()

if __name__ == "__main__":
    generation()
    print("ASKED")
"""


def test_rows_that_another_pipeline_stored(project: Project) -> None:
    task = TASK.replace("{kind: csv, path: table.csv}", "{kind: artifact, name: churn.rows}")
    (project.folder / "tasks" / "stored.yaml").write_text(task)
    flags = ("--task", "stored", "--no-deploy")
    assert "no pipeline has stored rows as 'churn.rows' yet" in sentence(project.run(*flags))
    (project.folder / "keep.py").write_text(KEEP)
    project.python("keep.py")
    said = succeeded(project.run(*flags))
    assert "600 rows" in said and "promote: " in said

"""Another predictor in the running service: all workers or none, no request lost, no answer of two."""

import gc
import json
import os
import signal
import subprocess
import sys
import time
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bentoml
import httpx
import pytest

from bentos.packaging.build import store_by_version
from bentos.rollout import hot_swap, worker_status
from bentos.rollout.desired_state import (
    FILE,
    DesiredState,
    ExpectedAnswer,
    StoredPredictor,
    desired_state_lock,
    next_edition,
    read_desired_state,
    write_desired_state,
)
from bentos.rollout.file_watcher import FileWatcher
from bentos.rollout.load_check import describe_predictor, load_and_verify
from bentos.rollout.model_watcher import ModelWatcher, last_edition
from credence.core.errors import InputError
from credence.core.paths import serving_folder
from steps.shared import bento_process
from tests.support.serving_cases import kept, trained
from tests.support.small_kinds import small
from tests.support.swap_cases import Load, Versions, bentos, shifted, until


@pytest.fixture(scope="module")
def versions(tmp_path_factory: pytest.TempPathFactory) -> Versions:
    return Versions("swapped", tmp_path_factory.mktemp("swapped"))


@pytest.fixture
def fresh(versions: Versions) -> Iterator[Versions]:
    """The same with nothing wanted and nobody at work."""
    yield versions
    (serving_folder("swapped") / FILE).unlink(missing_ok=True)


def following(versions: Versions) -> ModelWatcher:
    """A worker of this process that serves the first version, without the thread that watches."""
    folder = Path(bentoml.models.get(store_by_version(versions.folders[0])).path)
    follower = ModelWatcher(folder, versions.task, logs=False, environment={})
    follower.start()
    return follower


def meanwhile(follower: ModelWatcher) -> FileWatcher:
    """The watching thread of a worker."""
    watch = FileWatcher(follower.report, seconds=0.01)
    watch.add(serving_folder(follower.task) / FILE, follower.apply)
    watch.start()
    return watch


@pytest.fixture
def worker(fresh: Versions) -> Iterator[ModelWatcher]:
    follower = following(fresh)
    watch = meanwhile(follower)
    yield follower
    watch.stop()
    follower.stop()


def version(follower: ModelWatcher) -> str:
    return follower.router.champion.info.version


def test_a_swap_under_load_loses_and_mixes_nothing(fresh: Versions) -> None:
    with fresh.served() as url:
        with Load(url, fresh) as load:
            load.wait_for(40)
            ready = bentos("prepare", str(fresh.folders[1]))
            assert (ready["state"], ready["workers"], ready["reasons"]) == ("prepared", 2, [])
            load.wait_for(20)
            asked = time.monotonic()
            done = bentos("commit", "swapped", str(ready["generation"]))
            committed = time.monotonic()
            assert (done["state"], done["workers"]) == ("serving", 2)
            load.wait_for(40)
        assert load.failures == []
        assert all(fresh.right(row, answer) for _, row, answer in load.answers)
        assert {a["version"] for at, _, a in load.answers if at < asked} == {"swapped:1"}
        assert {a["version"] for at, _, a in load.answers if at > committed + 1} <= {"swapped:2"}
        assert load.answers[-1][2]["version"] == "swapped:2"

        victim = worker_status.live_workers("swapped")[0]
        os.kill(victim.pid, signal.SIGKILL)
        until(lambda: not victim.lives())
        until(lambda: [r.version for r in worker_status.live_workers("swapped")] == ["swapped:2"] * 2)
        assert {httpx.get(f"{url}/health").json()["version"] for _ in range(20)} == {"swapped:2"}
    assert worker_status.live_workers("swapped") == []


def test_one_worker_swaps_in_two_phases(worker: ModelWatcher, versions: Versions) -> None:
    ready = hot_swap.prepare_version(*describe_predictor(versions.folders[1]))
    assert (ready["state"], ready["workers"], version(worker)) == ("prepared", 1, "swapped:1")
    done = hot_swap.commit_version("swapped", ready["generation"])
    assert (done["state"], version(worker)) == ("serving", "swapped:2")


def test_the_old_predictor_is_let_go(worker: ModelWatcher, versions: Versions) -> None:
    old = weakref.ref(worker.router.champion.predictor)
    hot_swap.commit_version("swapped", hot_swap.prepare_version(*describe_predictor(versions.folders[1]))["generation"])
    gc.collect()
    assert old() is None


def test_what_is_aborted_is_dropped(worker: ModelWatcher, versions: Versions) -> None:
    generation = hot_swap.prepare_version(*describe_predictor(versions.folders[1]))["generation"]
    beside = weakref.ref(worker._prepared)
    assert hot_swap.abort_version("swapped", generation)["state"] == "aborted"
    until(lambda: worker_status.live_workers("swapped")[0].state == "serving")
    gc.collect()
    assert (beside(), version(worker)) == (None, "swapped:1")
    assert hot_swap.abort_version("swapped", generation)["state"] == "aborted"
    with pytest.raises(InputError, match="is not prepared, or no longer"):
        hot_swap.commit_version("swapped", generation)


def test_what_is_served_cannot_be_aborted(worker: ModelWatcher, versions: Versions) -> None:
    generation = hot_swap.prepare_version(*describe_predictor(versions.folders[1]))["generation"]
    hot_swap.commit_version("swapped", generation)
    with pytest.raises(InputError, match="is served already; prepare the one before it instead"):
        hot_swap.abort_version("swapped", generation)


def test_a_later_prepare_supersedes(worker: ModelWatcher, versions: Versions) -> None:
    first = hot_swap.prepare_version(*describe_predictor(versions.folders[1]))["generation"]
    second = hot_swap.prepare_version(*describe_predictor(versions.folders[2]))["generation"]
    with pytest.raises(InputError, match=f"generation {first} of swapped is not prepared"):
        hot_swap.commit_version("swapped", first)
    hot_swap.commit_version("swapped", second)
    assert version(worker) == "swapped:3"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"golden": (ExpectedAnswer(label="no", probability=0.5),)}, "to row 0 of its reference; expected no"),
        ({"tag": "swapped:9"}, "no model 'swapped:9' in BentoML's store"),
        ({"version": "swapped:9"}, "holds swapped:2 of swapped; expected swapped:9"),
    ],
)
def test_a_worker_refuses_what_is_not_what_was_promised(
    worker: ModelWatcher, versions: Versions, change: dict[str, Any], sentence: str
) -> None:
    task, right = describe_predictor(versions.folders[1])
    if "golden" in change:
        change = {"golden": change["golden"] * len(right.golden)}
    found = hot_swap.prepare_version(task, right.model_copy(update=change))
    assert found["state"] == "refused"
    assert sentence in found["reasons"][0]
    assert version(worker) == "swapped:1"
    assert read_desired_state("swapped").pending is None
    assert hot_swap.prepare_version(task, right)["state"] == "prepared"


def test_a_predictor_that_was_changed_in_the_store_is_refused(worker: ModelWatcher, tmp_path: Path) -> None:
    first, _ = trained(small("logistic"), "swapped")
    task, found = describe_predictor(kept(shifted(first, "swapped:8", 0.1), tmp_path / "eight"))
    stored = Path(bentoml.models.get(found.tag).path) / "predictor.json"
    stored.write_text(stored.read_text().replace('"threshold": 0.', '"threshold": 0.1'))
    answer = hot_swap.prepare_version(task, found)
    assert answer["state"] == "refused"
    assert "predictor.json was changed" in answer["reasons"][0]
    assert version(worker) == "swapped:1"


def test_a_predictor_of_another_task_is_refused(worker: ModelWatcher, tmp_path: Path) -> None:
    _, found = describe_predictor(kept(trained(small("logistic"), "stranger")[0], tmp_path / "stranger"))
    answer = hot_swap.prepare_version("swapped", found)
    assert answer["state"] == "refused"
    assert "of stranger; expected" in answer["reasons"][0]


def test_a_swap_to_other_columns_reads_requests_by_the_new_ones(worker: ModelWatcher, tmp_path: Path) -> None:
    predictor, rows = trained(small("tfidf"), "swapped")
    folder = kept(shifted(predictor, "swapped:7", 0.0), tmp_path / "texts")
    hot_swap.commit_version("swapped", hot_swap.prepare_version(*describe_predictor(folder))["generation"])
    body = json.dumps({"text": rows["text"].iloc[0]}).encode()
    _, found = worker.router.champion.answer(body, many=False)
    assert found["probability"].item() == pytest.approx(predictor.predict(rows.head(1))["probability"].item())
    with pytest.raises(InputError, match="'age' is not known"):
        worker.router.champion.answer(b'{"age": 3}', many=False)


def test_nobody_is_waited_for(fresh: Versions) -> None:
    found = hot_swap.prepare_version(*describe_predictor(fresh.folders[1]))
    assert (found["state"], found["workers"]) == ("nobody", 0)
    assert hot_swap.commit_version("swapped", found["generation"])["state"] == "nobody"


def test_a_worker_that_does_not_answer_stops_the_swap(fresh: Versions) -> None:
    follower = following(fresh)
    found = hot_swap.prepare_version(*describe_predictor(fresh.folders[1]), seconds=0.2)
    assert (found["state"], found["reasons"]) == ("refused", [f"process {os.getpid()} is not ready after 0.2 s"])
    follower.stop()


def test_a_server_that_is_started_serves_what_it_was_told(fresh: Versions) -> None:
    generation = hot_swap.prepare_version(*describe_predictor(fresh.folders[1]))["generation"]
    hot_swap.commit_version("swapped", generation)
    follower = following(fresh)
    follower.apply()
    assert version(follower) == "swapped:1"
    assert hot_swap.prepare_version(*describe_predictor(fresh.folders[2]), seconds=0.0)["state"] == "refused", (
        "it obeys what comes later"
    )
    follower.stop()


def test_a_server_that_is_started_between_the_phases_obeys_the_second(fresh: Versions) -> None:
    generation = hot_swap.prepare_version(*describe_predictor(fresh.folders[1]))["generation"]
    follower = following(fresh)
    watch = meanwhile(follower)
    assert hot_swap.commit_version("swapped", generation)["state"] == "serving"
    assert version(follower) == "swapped:2"
    watch.stop()
    follower.stop()


def test_a_worker_that_is_started_again_between_the_phases_prepares(fresh: Versions) -> None:
    since = str(last_edition("swapped"))
    first = hot_swap.prepare_version(*describe_predictor(fresh.folders[1]))["generation"]
    hot_swap.commit_version("swapped", first)
    hot_swap.prepare_version(*describe_predictor(fresh.folders[2]))
    folder = Path(bentoml.models.get(store_by_version(fresh.folders[0])).path)
    follower = ModelWatcher(folder, "swapped", logs=False, environment={"CREDENCE_SINCE": since})
    follower.start()
    assert version(follower) == "swapped:2"
    assert worker_status.live_workers("swapped")[0].state == "prepared"
    follower.stop()


def test_a_server_starts_where_what_was_swapped_in_is_gone(fresh: Versions, tmp_path: Path) -> None:
    since = str(last_edition("swapped"))
    lost = StoredPredictor(tag="swapped:lost", version="swapped:lost", golden=(), generation=int(since) + 5)
    write_desired_state("swapped", DesiredState(edition=int(since) + 6, champion=lost, decided=int(since) + 6))
    folder = Path(bentoml.models.get(store_by_version(fresh.folders[0])).path)
    follower = ModelWatcher(folder, "swapped", logs=False, environment={"CREDENCE_SINCE": since})
    follower.start()
    assert version(follower) == "swapped:1"
    assert "swapped:lost" in worker_status.live_workers("swapped")[0].reason
    follower.stop()


def test_a_file_that_nobody_wrote_stops_no_server_and_is_named(fresh: Versions) -> None:
    file = serving_folder("swapped") / FILE
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text('{"editio')
    follower = following(fresh)
    assert version(follower) == "swapped:1"
    with pytest.raises(InputError, match=r"wanted\.json is not what `python -m bentos` writes"):
        hot_swap.abort_version("swapped", 1)
    follower.stop()


def test_reports_of_the_dead_are_removed(fresh: Versions) -> None:
    me = worker_status.own_status(0)
    gone = me.model_copy(update={"pid": 2**22 + 1})
    recycled = me.model_copy(update={"started": me.started - 60_000})
    for report in (me, gone, recycled):
        worker_status.write_status("swapped", report)
    assert worker_status.live_workers("swapped") == [me]
    folder = serving_folder("swapped") / worker_status.FOLDER
    assert len(list(folder.iterdir())) == 1
    worker_status.remove_status("swapped", me)
    (folder / "1-1.json").write_text("{}")
    with pytest.raises(InputError, match=r"1-1\.json is not what a worker writes"):
        worker_status.live_workers("swapped")
    (folder / "1-1.json").unlink()


def test_two_commands_at_once_are_one_sentence(fresh: Versions) -> None:
    with desired_state_lock("swapped"):
        with pytest.raises(InputError, match="another command is changing what swapped is answered with"):
            hot_swap.prepare_version(*describe_predictor(fresh.folders[1]))
        said = bentos("abort", "swapped", "1", code=2)["error"]
        assert said.startswith("error: another command is changing")
    with desired_state_lock("swapped"):
        pass


def test_editions_only_grow() -> None:
    assert next_edition(DesiredState()) > 1_700_000_000_000
    assert next_edition(DesiredState(edition=10**15)) == 10**15 + 1


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "the following arguments are required: COMMAND"),
        (["swop"], "invalid choice: 'swop'"),
        (["commit", "swapped", "soon"], "argument generation: invalid int value: 'soon'"),
        (["commit", "swaped", "3"], "has ever answered 'swaped'. Did you mean 'swapped'?"),
        (["challenge", "x", "--share", "1"], "--share is 1; expected more than 0 and less than 1, such as 0.1."),
        (["challenge", "x", "--mode", "both"], "invalid choice: 'both'"),
        (["prepare", "/nowhere"], "/nowhere holds no predictor.json"),
    ],
)
def test_a_wrong_command_is_one_sentence(fresh: Versions, words: list[str], sentence: str) -> None:
    serving_folder("swapped").mkdir(parents=True, exist_ok=True)
    said = bentos(*words, code=2)["error"]
    assert said.startswith("error: ")
    assert sentence in said
    assert "\n" not in said


def test_prepare_may_be_started_before_the_folder_is_known(worker: ModelWatcher, versions: Versions) -> None:
    waiting = bento_process.preload()
    assert bento_process.preload() is waiting
    found = bento_process.prepare_services(versions.folders[1])
    assert (waiting.returncode, found["state"], version(worker)) == (0, "prepared", "swapped:1")
    assert (hot_swap.commit_version("swapped", found["generation"])["state"], version(worker)) == (
        "serving",
        "swapped:2",
    )
    again = bento_process.prepare_services(versions.folders[0])
    assert (bento_process.has_running_service("swapped"), again["state"]) == (True, "prepared")


def test_a_preparation_that_nobody_needs_ends_with_who_started_it(versions: Versions) -> None:
    waiting = bento_process.preload()
    bento_process.preload.cache_clear()
    _, said = waiting.communicate("")
    assert (waiting.returncode, said) == (
        2,
        "error: prepare - expects a folder on standard input, which ended; nothing was prepared.\n",
    )


def test_commit_is_quick_because_it_imports_no_model() -> None:
    heavy = ("sklearn", "pandas", "bentoml")
    script = f"import sys, bentos.__main__, bentos.rollout.hot_swap; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_proof_is_what_it_says_of_the_first_rows_of_its_reference(versions: Versions) -> None:
    task, found = describe_predictor(versions.folders[0])
    first = versions.predictors[0]
    expected = first.predict(first.reference.head(20))["probability"].tolist()
    assert (task, found.version) == ("swapped", "swapped:1")
    assert [g.probability for g in found.golden] == pytest.approx(expected, abs=1e-12)
    assert load_and_verify(found, task).info == first.info

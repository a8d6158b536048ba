"""Rows that language models write, as a user gets them: the plan, the pipeline, its pages and files."""

import hashlib
import json
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from credence.generation.generate import generate
from credence.generation.ledger import LedgerReader
from credence.generation.section import Generation
from tests.fakes.fake_llm import FakeLLM
from tests.support.arithmetic_oracle import is_true
from tests.support.project_copy import Project

SINK = "generation.sink={url: sqlite:///rows.db, table: rows}"
SMALL = ("--pipeline", "generation", "--task", "reasoning", "--set", "generation.rows=400")
# Of 40,000 rows; the same on every machine.
DIGEST = "bb0331b7b8eb880714d13eb5c5e6d2d0"
SHA256 = "9b8179c50f3e6f9888838e6772ed6130261d4d4dd18059475477128fceb74383"
STORED = """
import hashlib, json
from zenml.client import Client
found = Client().get_artifact_version("reasoning.rows")
pages = Client().list_pipeline_runs(pipeline="generation", size=1).items[0].steps["examine_rows"].outputs
print("ASKED " + json.dumps({
    "version": found.version, "rows": len(found.load()), "digest": found.load()["content_id"].tolist()[:2],
    "page": pages["generation"][0].load()[:15],
}))
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return Project.copy(tmp_path_factory.mktemp("project"))


def test_the_plan_says_slots_calls_and_cost_and_asks_nobody(project: Project) -> None:
    planned = project.run(*SMALL, "--dry-run")
    assert planned.returncode == 0, planned.stderr
    assert planned.stdout.startswith("400 rows wanted, 0 of them in the ledger, 400 to write\n")
    assert "  comparison: no 0/50, yes 0/50\n" in planned.stdout
    assert re.search(r"^offline +24 ", planned.stdout, re.MULTILINE) and "at most $0.00" in planned.stdout
    assert not (project.folder / "stores/credence").exists()


def test_the_rows_are_written_stored_examined_and_learned_from(project: Project) -> None:
    export = project.folder / "rows.jsonl"
    command = (
        *SMALL,
        "--set",
        f"generation.export={export}",
        "--set",
        SINK,
    )
    done = project.run(*command)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "400 of 400 rows, none wrong by the independent check, 0 exact duplicates; $0.00\n"
    assert "comparison 100/100 · math_verification 100/100" in done.stderr
    assert "next: python run.py --pipeline training --task reasoning" in done.stderr
    rows = [json.loads(line) for line in export.read_text().splitlines()]
    assert {is_true(row["question"]) == (row["answer"] == "yes") for row in rows} == {True}
    (project.folder / "stored.py").write_text(STORED)
    stored = json.loads(project.python("stored.py"))
    assert stored["rows"] == 400 and stored["page"].startswith("<!doctype html>")
    assert stored["digest"] == [row["content_id"] for row in rows[:2]]
    with sqlite3.connect(project.folder / "rows.db") as database:
        assert database.execute("select count(*), count(distinct content_id) from rows").fetchone() == (400, 400)
    assert "items_total{" in (project.folder / "stores/credence/reasoning/generation/metrics.prom").read_text()
    learned = project.run("--task", "reasoning", "--no-deploy")
    assert learned.returncode == 0, learned.stderr
    assert "hold: " in learned.stdout and "400 rows, 50.0% yes" in learned.stderr
    assert "sampling: the chains have not converged: " in learned.stdout
    assert all(
        kind in learned.stdout for kind in ("tfidf", "relations", "bilstm", "bayesian_transformer", "hierarchical")
    )


@pytest.mark.slow
def test_the_same_command_finds_all_of_it_there_and_another_begins_anew(project: Project) -> None:
    earlier = len(_stored(project))
    before = project.run(*SMALL)
    planned = project.run(*SMALL, "--dry-run")
    anew = project.run(*SMALL, "--no-resume")
    assert before.returncode == anew.returncode == 0, anew.stderr
    assert "400 rows wanted, 400 of them in the ledger, 0 to write" in planned.stdout
    assert len(list((project.folder / "stores/credence/reasoning").glob("ledger_before_*"))) == 1
    stored = [hashlib.sha256(f.read_bytes()).hexdigest() for f in _stored(project)]
    assert len(stored) == earlier + 2 and len(set(stored)) == 1


def _stored(project: Project) -> list[Path]:
    """The tables of rows that ZenML keeps."""
    files = (project.folder / "stores/zenml").rglob("*")
    return [f for f in files if "store_rows" in str(f) and "parquet" in f.name]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--set", "generation.rows=0"), "generation.rows: input should be greater than or equal to 1, not '0'"),
        (("--set", "generation.quotas={patern: 5}"), "no category 'patern'. Did you mean 'pattern'?"),
        (("--set", "generation.quotas={pattern: 5}"), "rows says 10000 and quotas add up to 5"),
        (("--set", "generation.providers=[{kind: opnai}]"), "no provider of kind 'opnai'. Did you mean 'openai'?"),
        (("--set", "generation.providers=[{kind: openai, model: gpt-4o-mini}]"), "environment variable OPENAI_API_KEY"),
        (("--set", "generation.providers=[{kind: anthropic, model: claude-9}]"), "no price is known for the model"),
        (("--sample", "5"), "--sample belongs to --pipeline training, not to generation."),
        (("--budget", "-1"), "generation.budget_usd: input should be greater than or equal to 0"),
        (("--set", "generation.exports=x"), "no such key. Did you mean 'export'?"),
    ],
    ids=lambda value: value[-1] if isinstance(value, tuple) else "",
)
def test_a_mistake_is_one_sentence(arguments: tuple[str, ...], said: str, project: Project) -> None:
    refused = project.run("--pipeline", "generation", "--task", "reasoning", *arguments)
    assert refused.returncode == 2 and said in refused.stderr, refused.stderr
    assert len(refused.stderr.splitlines()) == 1 and "Traceback" not in refused.stderr


def test_a_budget_too_small_for_one_call_is_refused_before_any_call(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test-000000")
    nowhere = "base_url: 'http://127.0.0.1:9/v1', key_env: OPENAI_API_KEY"
    paid = ("--set", f"generation.providers=[{{kind: openai, model: gpt-4o, {nowhere}}}]")
    refused = project.run(*SMALL, *paid, "--budget", "0.0001")
    assert refused.returncode == 2 and "a single call to gpt-4o may cost" in refused.stderr, refused.stderr


def test_a_task_without_the_section_says_so(project: Project) -> None:
    refused = project.run("--pipeline", "generation", "--task", "breast_cancer")
    assert refused.returncode == 2 and "breast_cancer has no section generation" in refused.stderr


def test_rows_that_nobody_wrote_yet_cannot_be_learned_from(tmp_path: Path) -> None:
    refused = Project.copy(tmp_path).run("--task", "reasoning")
    assert refused.returncode == 2 and "no pipeline has stored rows as 'reasoning.rows' yet" in refused.stderr


def test_no_value_of_the_environment_enters_a_store(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """ZenML would write the value of a variable that a parameter names into its database."""
    secret = "hunter2-correct-horse"
    monkeypatch.setenv("ROWS_PLACE", f"{project.folder}/{secret}.db")
    done = project.run(*SMALL, "--set", "generation.sink={url: 'sqlite:///${ROWS_PLACE}', table: rows}")
    assert done.returncode == 0, done.stderr
    assert (project.folder / f"{secret}.db").exists()
    kept = [f for f in (project.folder / "stores").rglob("*") if f.is_file() and secret.encode() in f.read_bytes()]
    assert not kept


def test_ctrl_c_stops_at_once_and_keeps_what_was_paid_for(project: Project) -> None:
    """The calls in flight would take an hour: only breaking them off ends the run."""
    with FakeLLM() as fake:
        fake.does(silent_after=12)
        patient = "key_env: null, read_seconds: 3000, total_seconds: 3000"
        who = f"{{kind: openai, name: fake, model: gpt-4o-mini, base_url: '{fake.url}/v1', {patient}}}"
        command = (*SMALL, "--set", f"generation.providers=[{who}]", "--set", "generation.items_per_call=1")
        process = project.start(*command, start_new_session=True)
        while (saw := fake.saw())["answered"] < 12 or not saw["in_flight"]:
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        try:
            _, err = process.communicate(timeout=300)
        finally:
            process.kill()
    assert process.returncode == 130 and "stopped; " in err and "Traceback" not in err, err
    kept = re.search(r"(\d+) of them in the ledger", project.run(*command, "--dry-run").stdout)
    assert kept and int(kept[1]) >= 4


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ledger of 40,000 rows by the offline provider."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CREDENCE_HOME", str(tmp_path_factory.mktemp("home")))
        return generate("many", Generation(providers=[{"kind": "offline"}], rows=40_000)).folder


def test_forty_thousand_rows_are_right_balanced_and_the_same_everywhere(many: Path, tmp_path: Path) -> None:
    with LedgerReader(many) as reader:
        rows, digest = reader.results().to_pandas(), reader.digest()
        sha256 = reader.export_parquet(tmp_path / "rows.parquet")
    wrong = [q for q, a in zip(rows["question"], rows["answer"], strict=True) if is_true(q) != (a == "yes")]
    assert not wrong
    assert set(Counter(zip(rows["category"], rows["answer"], strict=True)).values()) == {5000}
    assert rows["content_id"].is_unique and (digest, sha256) == (DIGEST, SHA256)


@pytest.mark.slow
def test_the_same_without_a_network_and_without_a_key(tmp_path: Path) -> None:
    """The command as a user types it, in a network namespace of its own, in another time zone and locale."""
    if not shutil.which("unshare") or subprocess.run(["unshare", "-rn", "true"], check=False).returncode:
        pytest.skip("unshare -rn is not permitted here")
    project = Project.copy(tmp_path)
    command = ["unshare", "-rn", sys.executable, "run.py", "--pipeline", "generation", "--task", "reasoning"]
    command += ["--set", "generation.rows=40000", "--set", f"generation.export={tmp_path}/rows.jsonl"]
    bare = {k: v for k, v in project.environment.items() if not k.endswith("_API_KEY")}
    environment = {**bare, "TZ": "Pacific/Auckland", "LC_ALL": "C", "PYTHONHASHSEED": "77"}
    done = subprocess.run(command, cwd=project.folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    ids = sorted(json.loads(line)["content_id"] for line in (tmp_path / "rows.jsonl").read_text().splitlines())
    assert hashlib.blake2b("\n".join(ids).encode(), digest_size=16).hexdigest() == DIGEST

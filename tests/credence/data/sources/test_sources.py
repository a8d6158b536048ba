"""Every source kind: what it reads, what it refuses and how it says so."""

import gzip
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import datasets
import pandas as pd
import pytest

from credence.core.errors import InputError
from credence.core.registry import SourceSpec, available_kinds, load_kind
from credence.data.sources import Source
from credence.data.sources.artifact import Artifact
from credence.data.sources.folder import Folder
from credence.data.sources.hub import Hub
from credence.data.sources.jsonl import Jsonl
from credence.data.sources.parquet import Parquet
from credence.data.sources.sklearn import Sklearn
from credence.data.sources.sql import Sql

ROOT = Path(__file__).parents[4]
FRAME = pd.DataFrame({"text": ["good", "bad", "fine"], "n": [1, 2, 3], "label": ["pos", "neg", "pos"]})


def refused(source: Source) -> str:
    with pytest.raises(InputError) as caught:
        source.read()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def lines(path: Path, *records: Any) -> Path:
    path.write_text("".join(f"{r if isinstance(r, str) else json.dumps(r)}\n" for r in records), encoding="utf-8")
    return path


@pytest.mark.parametrize("kind", available_kinds("sources"))
def test_every_kind_is_a_source_that_forbids_unknown_keys(kind: str) -> None:
    assert issubclass(load_kind("sources", kind), Source)
    with pytest.raises(InputError, match="no such key"):
        SourceSpec(kind=kind, patth="x").build()


def test_a_misspelt_kind_is_corrected() -> None:
    with pytest.raises(ValueError, match="Did you mean 'parquet'"):
        SourceSpec(kind="parket")


def test_sklearn_tables_come_with_their_target() -> None:
    source = Sklearn(name="breast_cancer")
    assert source.read().shape == (569, 31)


class TestJsonl:
    def test_reads_objects_also_gzipped_and_marked(self, tmp_path: Path) -> None:
        path = lines(tmp_path / "a.jsonl", {"text": "né", "y": True}, "", {"text": "b", "y": False, "extra": 2})
        table = Jsonl(path=path).read()
        assert table["text"].tolist() == ["né", "b"]
        assert table["extra"].isna().tolist() == [True, False]
        packed = tmp_path / "a.jsonl.gz"
        packed.write_bytes(gzip.compress(b"\xef\xbb\xbf" + path.read_bytes()))
        assert Jsonl(path=packed).read().equals(table)

    def test_reads_one_array_of_objects(self, tmp_path: Path) -> None:
        path = tmp_path / "a.json"
        path.write_text(json.dumps([{"x": 1, "y": "yes"}, {"y": "no"}], indent=1))
        assert Jsonl(path=path).read().to_dict("list")["y"] == ["yes", "no"]
        wrong = {"[]": "empty JSON array", "[1]": "object 1: holds a JSON number", "[{": "not JSON"}
        for content, says in wrong.items():
            path.write_text(content)
            assert says in refused(Jsonl(path=path))

    @pytest.mark.parametrize(
        ("line", "says"),
        [
            ('{"a": 1', "line 2: this is not JSON"),
            ("[1, 2]", "line 2: holds a JSON array"),
            ('"word"', "JSON string"),
            ('{"tags": ["x"]}', "line 2: 'tags' holds a JSON array"),
            ('{"who": {"name": 1}}', "'who' holds a JSON object"),
            ("null", "JSON null"),
            ("3", "JSON number"),
        ],
    )
    def test_names_the_line_that_is_wrong(self, tmp_path: Path, line: str, says: str) -> None:
        assert says in refused(Jsonl(path=lines(tmp_path / "a.jsonl", {"a": 1}, line)))

    def test_refuses_empty_and_binary_files(self, tmp_path: Path) -> None:
        assert "is empty" in refused(Jsonl(path=lines(tmp_path / "a.jsonl", "")))
        (tmp_path / "b.jsonl").write_bytes(bytes(range(256)))
        assert "binary content" in refused(Jsonl(path=tmp_path / "b.jsonl"))

    def test_a_neighbour_is_suggested(self, tmp_path: Path) -> None:
        lines(tmp_path / "answers.jsonl", {"a": 1})
        assert "answers.jsonl'" in refused(Jsonl(path=tmp_path / "answer.jsonl"))


class TestParquet:
    def test_reads_a_file_and_a_folder_of_parts(self, tmp_path: Path) -> None:
        FRAME[:2].to_parquet(tmp_path / "a.parquet")
        FRAME[2:].to_parquet(tmp_path / "b.parquet")
        assert Parquet(path=tmp_path / "a.parquet").read().equals(FRAME[:2])
        assert Parquet(path=tmp_path).read()["text"].tolist() == ["good", "bad", "fine"]

    def test_keeps_a_named_index_and_flattens_what_is_nested(self, tmp_path: Path) -> None:
        frame = FRAME.assign(tags=[["x"], [], ["y", "z"]], kind=pd.Categorical(["a", "b", "a"])).set_index("n")
        frame.to_parquet(tmp_path / "a.parquet")
        table = Parquet(path=tmp_path / "a.parquet").read()
        assert table["n"].tolist() == [1, 2, 3]
        assert table["tags"].tolist() == ['["x"]', "[]", '["y", "z"]']
        assert table["kind"].dtype == object

    def test_decimals_are_numbers(self, tmp_path: Path) -> None:
        FRAME.assign(pay=[Decimal("1.50"), None, Decimal("2.25")]).to_parquet(tmp_path / "a.parquet")
        assert Parquet(path=tmp_path / "a.parquet").read()["pay"].dropna().tolist() == [1.5, 2.25]

    def test_says_what_is_wrong(self, tmp_path: Path) -> None:
        assert "no *.parquet file" in refused(Parquet(path=tmp_path))
        lines(tmp_path / "t.parquet", "a,b", "1,2")
        assert "not readable as Parquet" in refused(Parquet(path=tmp_path / "t.parquet"))
        FRAME[:0].to_parquet(tmp_path / "none.parquet")
        assert "no rows" in refused(Parquet(path=tmp_path / "none.parquet"))
        assert "no such file" in refused(Parquet(path=tmp_path / "absent.parquet"))


@pytest.fixture
def reviews(tmp_path: Path) -> Path:
    """The layout of the IMDB reviews, with its unlabelled third folder."""
    for place in ("train/pos", "train/neg", "train/unsup", "test/pos", "test/neg"):
        (tmp_path / place).mkdir(parents=True)
        for i in range(2):
            (tmp_path / place / f"{i}_7.txt").write_text(f"a film {place} {i}: naïve", encoding="utf-8")
    (tmp_path / "README").write_text("ignore me")
    return tmp_path


class TestFolder:
    def test_reads_train_and_test_and_leaves_the_unlabelled_out(self, reviews: Path) -> None:
        table = Folder(path=reviews).read()
        assert table.groupby(["split", "label"]).size().to_dict() == dict.fromkeys(
            [("test", "neg"), ("test", "pos"), ("train", "neg"), ("train", "pos")], 2
        )
        first = table[table["row_id"] == "train/pos/0_7"].iloc[0]
        assert (first["text"], first["label"], first["split"]) == ("a film train/pos 0: naïve", "pos", "train")
        assert table["row_id"].is_unique

    def test_reads_answers_without_a_split(self, reviews: Path) -> None:
        table = Folder(path=reviews / "train").read()
        assert list(table) == ["text", "label", "row_id"]
        assert set(table["label"]) == {"pos", "neg", "unsup"}

    def test_says_what_it_expected(self, reviews: Path) -> None:
        assert "a folder of .txt files per answer" in refused(Folder(path=reviews / "train/pos"))
        assert "is a file" in refused(Folder(path=reviews / "README"))
        (reviews / "test/pos/9.txt").write_bytes(bytes(64))
        assert "9.txt holds binary content" in refused(Folder(path=reviews))


@pytest.fixture(scope="module")
def dataset_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data_set")
    features = datasets.Features({"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["neg", "pos"])})
    for split, labels in {"train": [0, 1, -1], "test": [1]}.items():
        rows = {"text": [f"{split} {i}" for i in range(len(labels))], "label": labels}
        datasets.Dataset.from_dict(rows, features=features).to_parquet(folder / f"{split}.parquet")
    return folder


class TestHub:
    def test_names_answers_and_says_the_split(self, dataset_folder: Path) -> None:
        table = Hub(name=str(dataset_folder)).read()
        assert table["split"].tolist() == ["train"] * 3 + ["test"]
        assert table["label"].tolist() == ["neg", "pos", None, "pos"]

    def test_takes_one_split_or_several(self, dataset_folder: Path) -> None:
        assert Hub(name=str(dataset_folder), split="test").read()["text"].tolist() == ["test 0"]
        assert len(Hub(name=str(dataset_folder), split=["test", "train"]).read()) == 4
        assert "Did you mean 'train'" in refused(Hub(name=str(dataset_folder), split="trian"))

    def test_offline_it_says_the_ways_out(self, tmp_path: Path) -> None:
        code = (
            "from credence.data.sources.hub import Hub\nfrom credence.core.errors import InputError\n"
            "try: Hub(name='nobody/nothing').read()\nexcept InputError as error: print(error)"
        )
        place = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path)}
        said = subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, env=place, capture_output=True, text=True, check=True
        )
        assert said.stdout.count("\n") == 1
        assert "'nobody/nothing'" in said.stdout
        assert "source.kind=parquet" in said.stdout


@pytest.fixture
def database(tmp_path: Path) -> str:
    with sqlite3.connect(tmp_path / "shop.db") as connection:
        FRAME.to_sql("reviews", connection, index=False)
    connection.close()
    return f"sqlite:///{tmp_path}/shop.db"


class TestSql:
    def test_reads_what_the_query_asks(self, database: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SHOP", database)
        table = Sql(
            url="${SHOP}", query="select text, label from reviews where n > 1 and text like '%:%' or n = 1"
        ).read()
        assert table.to_numpy().tolist() == [["good", "pos"]]

    def test_changes_nothing(self, database: str) -> None:
        with pytest.raises(InputError):
            Sql(url=database, query="delete from reviews").read()
        assert len(Sql(url=database, query="select * from reviews").read()) == 3

    @pytest.mark.parametrize(
        ("query", "says"),
        [
            ("select * from review", "Did you mean 'reviews'"),
            ("selec 1", "syntax error"),
            ("select nope from reviews", "no such column: nope"),
            ("select * from reviews where n > 9", "returned no rows"),
        ],
    )
    def test_says_what_is_wrong_with_the_query(self, database: str, query: str, says: str) -> None:
        assert says in refused(Sql(url=database, query=query))

    def test_says_what_is_wrong_with_the_place(self, database: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("NOWHERE", raising=False)
        assert "NOWHERE, which is not set" in refused(Sql(url="${NOWHERE}", query="select 1"))
        assert "names no database" in refused(Sql(url="somewhere", query="select 1"))
        assert "names no database" in refused(Sql(url="oracel://u@h/d", query="select 1"))
        assert "shop.db'" in refused(Sql(url=database.replace("shop", "shp"), query="select 1"))

    def test_never_shows_a_password(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SECRET", "hunter2@/:%")
        for url in ("postgresql+psycopg://ada:${SECRET}@127.0.0.1:1/x?connect_timeout=1", "oracel://ada:${SECRET}@h/x"):
            message = refused(Sql(url=url, query="select 1"))
            assert "hunter2@/:%" not in message
            assert "127.0.0.1" in message or "h/x" in message


def _postgres() -> Path | None:
    return next(
        (d for d in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True) if (d / "initdb").exists()), None
    )


@pytest.fixture
def postgres(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A real server on a socket of its own; it refuses to run as root, so root runs it as nobody in particular."""
    tools = _postgres()
    if tools is None:
        pytest.skip("PostgreSQL's server programs are not on this machine")
    folder, who = Path(tempfile.mkdtemp(prefix="pg-")), {"user": "nobody"} if os.getuid() == 0 else {}
    if who:
        shutil.chown(folder, "nobody")
    secret = folder / "password"
    secret.write_text("hunter2@/:%")
    secret.chmod(0o644)

    def call(program: str, *words: str) -> None:
        done = subprocess.run([tools / program, *words], cwd=folder, capture_output=True, text=True, check=False, **who)
        if done.returncode:
            pytest.skip(f"{program} does not run here: {done.stderr.strip()[-200:]}")

    data = str(folder / "data")
    call("initdb", "-D", data, "-U", "ada", "-A", "scram-sha-256", f"--pwfile={secret}", "--no-sync")
    options = f"-k {folder} -c listen_addresses='' -c fsync=off"
    with (folder / "log").open("w"):
        shutil.chown(folder / "log", "nobody") if who else None
    call("pg_ctl", "-D", data, "-w", "-l", str(folder / "log"), "-o", options, "start")
    monkeypatch.setenv("PG_SECRET", "hunter2@/:%")
    yield f"postgresql+psycopg://ada:${{PG_SECRET}}@/postgres?host={folder}"
    call("pg_ctl", "-D", data, "-w", "-m", "immediate", "stop")
    shutil.rmtree(folder)


@pytest.mark.slow
def test_sql_reads_postgresql(postgres: str, monkeypatch: pytest.MonkeyPatch) -> None:
    query = "select * from (values (1, 'a%b', 1.5::numeric, true, date '2024-02-03')) v(n, word, price, yes, day)"
    row = Sql(url=postgres, query=query).read().iloc[0]
    assert (row["n"], row["word"], row["price"], row["yes"], str(row["day"])) == (1, "a%b", 1.5, True, "2024-02-03")
    assert 'relation "nope" does not exist' in refused(Sql(url=postgres, query="select * from nope"))
    monkeypatch.setenv("PG_SECRET", "swordfish")
    message = refused(Sql(url=postgres, query="select 1"))
    assert "password authentication failed" in message
    assert "swordfish" not in message


def test_artifacts_are_read_by_the_pipeline_only() -> None:
    assert "only inside a pipeline" in refused(Artifact(name="reasoning.rows"))


@pytest.mark.parametrize(
    ("file", "kind", "rows"), [("imdb/imdb.parquet", "parquet", 50_000), ("sms_spam/spam.csv", "csv", 5572)]
)
def test_real_tables_through_their_spec(shared_data: Path, file: str, kind: str, rows: int) -> None:
    assert len(SourceSpec(kind=kind, path=str(shared_data / file)).build().read()) == rows

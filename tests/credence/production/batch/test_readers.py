"""Pieces of a source add up to the source, wherever it is cut, in memory that does not grow with it."""

import csv
import gzip
import io
import json
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from credence.core.errors import InputError
from credence.core.registry import SourceSpec
from credence.production.batch import chunks
from credence.production.batch.csv_reader import CsvReader
from credence.production.batch.readers import reader_of

TABLE = "name,age,answer\nAda,36,yes\nBob,41,no\nCleo,29,yes\n"
CELL = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=9)


def source(path: Path, content: str | bytes, **fields: Any) -> SourceSpec:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    kind = {".csv": "csv", ".gz": "csv"}.get(path.suffix, "jsonl")
    return SourceSpec(kind=kind, path=str(path), **fields)


def joined(spec: SourceSpec, rows: int, start: int = 0) -> pd.DataFrame:
    parts = [table for _, table in chunks(spec, rows, start)]
    assert all(len(part) == rows for part in parts[:-1])
    return pd.concat(parts)


def refused(spec: SourceSpec, rows: int = 2) -> str:
    with pytest.raises(InputError) as caught:
        joined(spec, rows)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def same(found: pd.DataFrame, whole: pd.DataFrame) -> None:
    """The same words; whole reading has turned some of them into numbers."""
    assert list(found) == list(whole)
    assert found.index.tolist() == list(range(len(whole)))
    for name in whole:
        for mine, theirs in zip(found[name], whole[name], strict=True):
            if isinstance(theirs, (str, type(None))) or pd.isna(theirs):
                assert mine == theirs or (mine is None and pd.isna(theirs))
            elif isinstance(theirs, (bool, np.bool_)):
                assert mine.lower() == str(theirs).lower()
            else:
                assert float(mine.replace(",", ".")) == theirs


class TestCsv:
    @given(rows=st.lists(st.tuples(CELL, CELL, CELL), min_size=2, max_size=12), size=st.integers(1, 13))
    @pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
    def test_pieces_are_what_whole_reading_gives(
        self, rows: list[tuple[str, ...]], size: int, quoting: Any, tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        stream = io.StringIO()
        csv.writer(stream, quoting=quoting, lineterminator="\n").writerows([("a", "b", "c"), *rows])
        spec = source(tmp_path_factory.mktemp("t") / "t.csv", stream.getvalue(), delimiter=",", quote='"', header=True)
        same(joined(spec, size), spec.build().read())

    @pytest.mark.parametrize(
        "text",
        [
            TABLE,
            TABLE.replace(",", ";"),
            TABLE.replace(",", "  "),
            TABLE.replace("\n", "\r\n"),
            TABLE.replace("\n", "\r"),
            "sep=|\r\n" + TABLE.replace(",", "|"),
            "# by hand\n% twice\n" + TABLE,
            "\n\n" + TABLE.replace("\n", "\n\n"),
            '"x","y"\n"r1",1,2\n"r2",3,4\n"r3",5,6\n',
            'text,label\n"one, two\nthree",1\n"she said ""hi""",0\nplain,1\n"a\n\nb",0\n',
            "a,b\n1,2,\n3,4,,\n5,6\n",
            '"text","label"\n"he said \\"no\\", twice","1"\n"fine","0"\n"so, so","1"\n',
            "text,n\n'tis the season,1\nrock 'n' roll,2\nthe '80s,3\n",
            "zip;price\n00123;1,5\n10115;2,25\n00001;3\n",
            "63,1\n67,0\n41,1\n",
            "a\tb\n x \ty\n z\tw \n",
        ],
    )
    @pytest.mark.parametrize("size", [1, 2, 100])
    def test_every_layout_is_understood(self, tmp_path: Path, text: str, size: int) -> None:
        spec = source(tmp_path / "t.csv", text)
        same(joined(spec, size), spec.build().read())

    @pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252", "cp1251"])
    @pytest.mark.parametrize("packed", [False, True])
    def test_encodings_and_gzip(self, tmp_path: Path, encoding: str, packed: bool) -> None:
        text = (
            "слово;n\nХороший фильм, очень;1\nпонравился;2\n" if encoding == "cp1251" else "wörd;n\nnaïve;1\ncafé;2\n"
        )
        data = text.encode(encoding)
        spec = source(tmp_path / ("t.gz" if packed else "t.csv"), gzip.compress(data) if packed else data)
        same(joined(spec, 1), spec.build().read())

    def test_starting_later_leaves_chunks_out(self, tmp_path: Path) -> None:
        spec = source(tmp_path / "t.csv", "n\n" + "".join(f"{i}\n" for i in range(10)))
        assert [(i, t["n"].tolist(), t.index[0]) for i, t in chunks(spec, 4, start=1)] == [
            (1, ["4", "5", "6", "7"], 4),
            (2, ["8", "9"], 8),
        ]

    def test_quick_and_careful_reading_agree(self, tmp_path: Path) -> None:
        """Arrow reads what nobody quoted; every number is the same to the last bit."""
        values = np.random.default_rng(0).normal(size=(50, 2)) * 10.0 ** np.arange(-25, 25)[:, None]
        lines = [f"{a!r}, {b!r} ,word {i} ,{'' if i % 3 else i}" for i, (a, b) in enumerate(values.tolist())]
        spec = source(tmp_path / "t.csv", "a,b,w,g\n" + "\n".join(lines))
        reader = CsvReader(spec.build())
        careful = pd.concat([reader.frame(piece)[0] for piece in reader.pieces(7)])
        reader.numbers = frozenset("abg")
        quick = pd.concat([reader.frame(piece)[0] for piece in reader.pieces(7)])
        assert quick["a"].dtype == np.float64
        for name in "abg":
            np.testing.assert_array_equal(careful[name].astype("float64"), quick[name])
        assert quick["w"].tolist() == careful["w"].tolist()
        assert quick[["a", "b"]].to_numpy().tolist() == values.tolist()

    def test_the_head_is_a_part_of_a_large_file_only(self, tmp_path: Path) -> None:
        rows = 150_000
        spec = source(tmp_path / "t.csv", "n,word\n" + "".join(f"{i},{'word ' * 6}\n" for i in range(rows)))
        reader = CsvReader(spec.build())
        assert len(reader.head()) < rows
        assert reader.expected() == pytest.approx(rows, rel=0.1)
        found = joined(spec, 40_000)
        assert found["n"].tolist() == [str(i) for i in range(rows)]

    @pytest.mark.parametrize(
        ("text", "says"),
        [
            ("a,b\n" + "1,2\n" * 9 + "3,4,5\n1,2\n", "line 11: 3 cells where line 1 has 2"),
            ("", "is empty"),
            ("a,b\n", "header but no rows"),
            ("a,a\n1,2\n", "is in the header twice"),
        ],
    )
    def test_mistakes_are_named(self, tmp_path: Path, text: str, says: str) -> None:
        assert says in refused(source(tmp_path / "t.csv", text))

    def test_mistakes_beyond_the_head_are_named(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("credence.production.batch.csv_reader.HEAD_CHARACTERS", 300)
        good = 'a,b\n"x, y",2\n' + '"one",2\n' * 98
        assert "line 101: 3 cells where line 1 has 2" in refused(source(tmp_path / "t.csv", good + "3,4,5\n1,2\n"))
        assert "quotes do not pair up" in refused(source(tmp_path / "u.csv", good + '"3" x,4\n' + '"one",2\n' * 9))
        monkeypatch.setattr("credence.production.batch.csv_reader.MAX_CELL_CHARACTERS", 50)
        assert "a quote is not closed" in refused(source(tmp_path / "v.csv", good + '"3,4\n' + "1,2\n" * 90))


class TestJsonl:
    RECORDS = [{"a": i, "b": "ü" if i % 2 else None, **({"c": i / 3} if i % 5 else {})} for i in range(23)]

    @pytest.mark.parametrize("size", [1, 4, 100])
    @pytest.mark.parametrize("form", ["lines", "array", "pretty", "packed"])
    def test_pieces_are_what_whole_reading_gives(self, tmp_path: Path, size: int, form: str) -> None:
        lines = "\n".join(json.dumps(r) for r in self.RECORDS)
        text = {"array": json.dumps(self.RECORDS), "pretty": f"\n{json.dumps(self.RECORDS, indent=1)}\n"}.get(
            form, lines
        )
        spec = source(tmp_path / "t.json", gzip.compress(text.encode()) if form == "packed" else text)
        found, whole = joined(spec, size), spec.build().read()
        assert found["a"].tolist() == whole["a"].tolist()
        assert found["b"].where(found["b"].notna(), None).tolist() == whole["b"].tolist()
        np.testing.assert_array_equal(found["c"].astype("float64"), whole["c"])

    def test_a_key_that_only_the_first_rows_have_is_null_later(self, tmp_path: Path) -> None:
        spec = source(tmp_path / "t.jsonl", '{"a": 1, "b": 2}\n{"a": 3}\n')
        assert [list(table) for _, table in chunks(spec, 1)] == [["a", "b"]] * 2

    @pytest.mark.parametrize(
        ("line", "says"), [("{oops", "line 3: this is not JSON"), ("[1]", "a JSON array"), ('{"a": {}}', "JSON object")]
    )
    def test_the_line_that_is_wrong_is_named(self, tmp_path: Path, line: str, says: str) -> None:
        assert says in refused(source(tmp_path / "t.jsonl", f'{{"a": 1}}\n{{"a": 2}}\n{line}\n'))

    @pytest.mark.parametrize(
        ("text", "says"),
        [("", "is empty"), ("[]", "holds no rows"), ('[{"a": 1}', "not closed"), ('[{"a": 1}, {"a" 2}]', "not closed")],
    )
    def test_broken_files_are_named(self, tmp_path: Path, text: str, says: str) -> None:
        assert says in refused(source(tmp_path / "t.json", text))


class TestParquet:
    FRAME = pd.DataFrame(
        {
            "n": pd.array([1, None, 2**60 + 1, 4, 5] * 9, "Int64"),
            "x": np.arange(45) / 7,
            "w": list("abcde") * 9,
            "t": pd.date_range("2024-01-01", periods=45),
            "c": pd.Categorical(list("uvuvu") * 9),
        }
    )

    @pytest.mark.parametrize("size", [1, 7, 20, 1000])
    def test_a_file_or_a_folder_in_order(self, tmp_path: Path, size: int) -> None:
        self.FRAME[:20].to_parquet(tmp_path / "a.parquet", row_group_size=6)
        self.FRAME[20:].to_parquet(tmp_path / "b.parquet", row_group_size=4)
        found = joined(SourceSpec(kind="parquet", path=str(tmp_path)), size)
        assert found["x"].tolist() == self.FRAME["x"].tolist()
        assert found["w"].tolist() == self.FRAME["w"].tolist()
        assert found["t"].tolist() == self.FRAME["t"].tolist()
        assert found["c"].tolist() == self.FRAME["c"].tolist()
        assert [None if pd.isna(v) else int(v) for v in found["n"]] == [1, None, 2**60 + 1, 4, 5] * 9
        assert found.index.tolist() == list(range(45))

    def test_one_large_row_group_is_read_in_small_pieces(self, tmp_path: Path) -> None:
        """As pandas writes them; a reader that took the whole group would need all of it in memory."""
        rows = 1_000_000
        values = np.random.default_rng(0).normal(size=rows)
        pq.write_table(pa.table({f"x{i}": values for i in range(8)}), tmp_path / "a.parquet", row_group_size=rows)
        reader = reader_of(SourceSpec(kind="parquet", path=str(tmp_path / "a.parquet")))
        before, most = pa.total_allocated_bytes(), 0
        for piece in reader.pieces(10_000):
            most = max(most, pa.total_allocated_bytes() - before)
            assert len(piece.content) == 10_000
        assert most < rows * 8 * 8 / 2

    def test_what_is_wrong_is_told(self, tmp_path: Path) -> None:
        spec = SourceSpec(kind="parquet", path=str(tmp_path))
        assert "no *.parquet file" in refused(spec)
        self.FRAME.to_parquet(tmp_path / "a.parquet")
        self.FRAME.rename(columns={"x": "y"}).to_parquet(tmp_path / "b.parquet")
        assert "b.parquet has other columns than" in refused(spec)
        (tmp_path / "b.parquet").write_bytes(b"PAR1")
        assert "not readable as Parquet" in refused(spec)
        pq.write_table(pa.table({"x": pa.array([], pa.int64())}), tmp_path / "none.parquet")
        assert "holds no rows" in refused(SourceSpec(kind="parquet", path=str(tmp_path / "none.parquet")))


class TestSql:
    @pytest.fixture
    def spec(self, tmp_path: Path) -> SourceSpec:
        with sqlite3.connect(tmp_path / "t.db") as connection:
            connection.execute("create table t (n integer, w text)")
            connection.executemany("insert into t values (?, ?)", [(i, f"w%{i}") for i in range(25)])
        connection.close()
        return SourceSpec(
            kind="sql", url=f"sqlite:///{tmp_path}/t.db", query="select * from t where w like '%' order by n"
        )

    @pytest.mark.parametrize("size", [1, 10, 100])
    def test_pieces_are_the_result(self, spec: SourceSpec, size: int) -> None:
        found = joined(spec, size)
        assert found["n"].tolist() == list(range(25))
        assert found["w"].tolist() == [f"w%{i}" for i in range(25)]

    def test_rows_without_an_order_are_refused(self, spec: SourceSpec) -> None:
        assert "source.query has no ORDER BY" in refused(SourceSpec(kind="sql", url="sqlite://", query="select 1"))

    def test_mistakes_are_those_of_the_source(self, spec: SourceSpec) -> None:
        wrong = SourceSpec(**{**spec.model_dump(), "query": "select * from tt order by n"})
        assert "Did you mean 't'" in refused(wrong)

    def test_its_fingerprint_holds_no_password(self) -> None:
        secret = SourceSpec(kind="sql", url="postgresql+psycopg://ada:hunter2@host/x", query="select 1 order by 1")
        assert "hunter2" not in json.dumps(reader_of(secret).fingerprint())


def test_other_kinds_are_read_whole() -> None:
    spec = SourceSpec(kind="sklearn", name="breast_cancer")
    assert joined(spec, 100).equals(spec.build().read())
    assert reader_of(spec).fingerprint() == reader_of(spec).fingerprint()

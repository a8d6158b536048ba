"""Text tables: every spelling that is found out, and every mistake that is named."""

import csv
import gzip
import io
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from credence.core.errors import InputError
from credence.data.sources.csv import Csv

TABLE = "name,age,answer\nAda,36,yes\nBob,41,no\nCleo,29,yes\n"
CELLS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zl", "Zp"]), min_size=1, max_size=12)


@pytest.fixture
def write(tmp_path: Path) -> Any:
    def _write(content: str | bytes, name: str = "t.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return _write


def read(path: Path, **fields: Any) -> pd.DataFrame:
    return Csv(path=path, **fields).read()


def refused(path: Path, **fields: Any) -> str:
    with pytest.raises(InputError) as caught:
        read(path, **fields)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|", ", ", " ; ", "  "])
def test_the_delimiter_is_found_out(write: Any, delimiter: str) -> None:
    table = read(write(TABLE.replace(",", delimiter)))
    assert list(table) == ["name", "age", "answer"]
    assert table["name"].tolist() == ["Ada", "Bob", "Cleo"]
    assert table["age"].tolist() == [36, 41, 29]


def test_dotted_thousands_are_left_to_whoever_types_columns(write: Any) -> None:
    words = [f"{v:,}".replace(",", ".") for v in range(100, 90_000, 1900)]
    assert read(write("pay\n" + "\n".join(words) + "\n"))["pay"].tolist() == words


def test_blanks_may_stand_in_any_number_and_before_the_line(write: Any) -> None:
    table = read(write("  1  0   3.5\n 0 \t1 12.25  \n\n  1  1   0\n"), header=False)
    assert table.to_numpy().tolist() == [[1, 0, 3.5], [0, 1, 12.25], [1, 1, 0]]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252"])
def test_the_encoding_is_found_out(write: Any, encoding: str) -> None:
    table = read(write("wörd;label\nnaïve façade;1\n“quoted” – déjà vu;0\n".encode(encoding)))
    assert table["wörd"].tolist() == ["naïve façade", "“quoted” – déjà vu"]


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("cp1251", "Хороший фильм, очень понравился"),
        ("koi8_r", "Привет, как дела сегодня"),
        ("cp1250", "Příliš žluťoučký kůň úpěl ďábelské ódy"),
        ("shift_jis", "これは良い映画です"),
        ("gb18030", "这是一部好电影，我很喜欢"),
        ("euc_kr", "이것은 좋은 영화입니다"),
        ("cp1253", "Καλημέρα κόσμε"),
        ("cp1252", "l’été, Noël à la plage"),
        ("cp1252", "señor Muñoz, año nuevo"),
        ("cp1252", "£1.50 to rcv"),
    ],
)
def test_old_encodings_of_many_scripts_are_found_out(write: Any, encoding: str, text: str) -> None:
    table = read(write(f"text\tlabel\n{text}\t1\nplain\t0\n".encode(encoding)))
    assert table["text"].tolist() == [text, "plain"]


def test_latin_1_stands_in_where_cp1252_is_undefined(write: Any) -> None:
    assert read(write(b"a,b\ncaf\xe9\x81,1\n"))["a"].tolist() == ["café\x81"]


def test_a_given_encoding_is_taken_and_a_wrong_one_is_named(write: Any) -> None:
    path = write("text,label\nfine,1\nнет,0\n".encode("cp1251"))
    assert read(path, encoding="cp1251")["text"][1] == "нет"
    assert "line 3: not utf-8 text" in refused(path, encoding="utf-8")
    assert "no encoding is called 'utf-9'" in refused(path, encoding="utf-9")


def test_single_quotes_are_found_out_and_apostrophes_are_none(write: Any) -> None:
    quoted = read(write("'a','b c'\n'1','x, y'\n'2','it\\'s'\n"))
    assert quoted["b c"].tolist() == ["x, y", "it's"]
    plain = read(write("text,n\n'tis the season,1\nrock 'n' roll,2\nthe '80s,3\n"))
    assert plain["text"].tolist() == ["'tis the season", "rock 'n' roll", "the '80s"]


def test_quotes_keep_delimiters_lines_and_quotes(write: Any) -> None:
    text = 'text,label\n"one, two\nthree",1\n"she said ""hi""",0\n"",1\nback\\slash,0\n'
    assert read(write(text))["text"].tolist() == ["one, two\nthree", 'she said "hi"', None, "back\\slash"]


def test_a_comma_quoted_in_every_row_makes_no_column(write: Any) -> None:
    """Unquoted, each of these rows would have one cell more than the header, as if R had written row names."""
    body = "".join(f'{i},{i % 2},"Braund, Mr. Owen {i}",male,{20 + i}\n' for i in range(40))
    table = read(write("id,survived,name,sex,age\n" + body))
    assert table.shape == (40, 5)
    assert table["name"][3] == "Braund, Mr. Owen 3"


def test_escaped_quotes_are_understood(write: Any) -> None:
    text = '"text","label"\n"he said \\"no\\", twice","1"\n"fine","0"\n'
    assert read(write(text))["text"].tolist() == ['he said "no", twice', "fine"]


def test_stray_quotes_far_down_do_not_swallow_lines(write: Any) -> None:
    """As in the original SMS collection, where a quoted reading joins messages."""
    lines = [f"ham\tmessage number {i} of many" for i in range(9000)]
    lines[7000] = 'spam\t"Free" entry for you'
    lines[7005] = 'ham\t"and this never closes'
    table = read(write("\n".join(lines)))
    assert table.shape == (9000, 2)
    assert table["column_2"][7005] == '"and this never closes'


def test_gzip_is_recognized_by_its_content(write: Any) -> None:
    packed = gzip.compress(TABLE.encode())
    assert read(write(packed, "t.csv.gz")).equals(read(write(TABLE)))
    assert read(write(packed, "misnamed.csv")).shape == (3, 3)
    assert "damaged or cut short" in refused(write(packed[:-9], "cut.csv.gz"))


def test_excels_separator_line_is_obeyed(write: Any) -> None:
    assert list(read(write('"sep=|"\r\na|b,c\r\n1|2,5\r\n'))) == ["a", "b,c"]


def test_windows_and_old_mac_line_ends(write: Any) -> None:
    for end in ("\r\n", "\r"):
        assert read(write(TABLE.replace("\n", end))).shape == (3, 3)


def test_comment_lines_above_the_table_are_skipped(write: Any) -> None:
    assert read(write("# made by hand\n% twice\n" + TABLE)).shape == (3, 3)
    body = "".join(f"{25 + i}, Private, {7 * i}, <=50K.\n" for i in range(9))
    assert read(write("|1x3 Cross validator\n" + body)).shape == (9, 4)


def test_row_names_as_r_writes_them(write: Any) -> None:
    table = read(write('"x","y"\n"r1",1,2\n"r2",3,4\n'))
    assert list(table) == ["unnamed_1", "x", "y"]
    assert table["y"].tolist() == [2, 4]


def test_nameless_columns_get_a_name_and_empty_ones_go(write: Any) -> None:
    table = read(write("v1,v2,,,\nham,hello,,,\nspam,win,,yes,\n"))
    assert list(table) == ["v1", "v2", "unnamed_4"]
    assert table["unnamed_4"].tolist() == [None, "yes"]


def test_a_named_column_stays_even_when_empty(write: Any) -> None:
    assert read(write("a,b,c\n1,,3\n2,,4\n"))["b"].isna().all()


def test_blank_cells_beyond_the_table_are_dropped(write: Any) -> None:
    assert read(write("a,b\n1,2,\n3,4,,\n")).shape == (2, 2)


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ("age,sex\n63,1\n67,0\n41,1", True),
        ("63,1\n67,0\n41,1", False),
        ("63,?\n67,0\n41,1", False),
        ("name,answer\nfoo,yes\nbar,no", True),
        ("spam,call now\nham,hello\nspam,win\nham,hi", False),
        ("when,y\n2020-01-01,a\n2020-01-02,b", True),
        ("2020-01-01,a\n2020-01-02,b", False),
        ("country,2010,2011,2012,2013\nA,1,2,3,4\nB,5,6,7,8", True),
        ("0,1,2,3\n5.1,3.5,1.4,0.2\n4.9,3,1.4,0.2", True),
        ("M,17.99,10.38\nB,13.5,14.3\nM,20.5,17.7\nB,11,12", False),
        ("1,85,66\n8,183,64\n1,89,66", False),
        (",a,b\n0,1.5,x\n1,2.5,y", True),
        ("g;1,5\nb;2,25\ng;3,5", False),
        ("x;y\ng;1,5\nb;2,25", True),
    ],
)
def test_a_header_is_told_from_data(write: Any, body: str, named: bool) -> None:
    table = read(write(body + "\n"))
    assert list(table)[-1].startswith("column_") is not named
    assert len(table) == body.count("\n") + (not named)


def test_sentences_tell_a_name_from_data(write: Any) -> None:
    body = "\n".join(f"this is the {i} th sentence of a long list of them\t{i % 2}" for i in range(30))
    assert list(read(write(body))) == ["column_1", "column_2"]
    assert list(read(write("sentence\tlabel\n" + body))) == ["sentence", "label"]


def test_categories_tell_a_name_from_data(write: Any) -> None:
    rows = [f"{'abc'[i % 3]},{'xy'[i % 2]}" for i in range(40)]
    assert list(read(write("\n".join(rows)))) == ["column_1", "column_2"]
    assert list(read(write("\n".join(["cap,shape", *rows])))) == ["cap", "shape"]


def test_the_header_may_be_said(write: Any) -> None:
    path = write("a,b\nc,d\n")
    assert read(path, header=False).shape == (2, 2)
    assert list(read(write("1,2\n3,4\n"), header=True)) == ["1", "2"]


def test_values_keep_what_they_mean(write: Any) -> None:
    table = read(write("zip,n,f,b,na,big,gap\n00123,1,1.5,True,NA,9007199254740993,1\n10115,2,2,False,x,2,\n"))
    assert table["zip"].tolist() == ["00123", "10115"]
    assert [table[c].dtype.kind for c in ("n", "f", "b", "big", "gap")] == ["i", "f", "b", "i", "f"]
    assert table["na"].tolist() == ["NA", "x"]
    assert table["big"][0] == 9007199254740993
    assert table["gap"].isna().tolist() == [False, True]


def test_long_numbers_with_gaps_keep_every_digit(write: Any) -> None:
    table = read(write("tweet,y\n1234567890123456789,0\n,1\n"))
    assert table["tweet"].tolist() == ["1234567890123456789", None]


def test_decimal_commas_are_numbers_and_thousands_are_not(write: Any) -> None:
    table = read(write("a;b\n1,5;1,000\n-2,25;2,500\n"))
    assert table["a"].tolist() == [1.5, -2.25]
    assert table["b"].tolist() == ["1,000", "2,500"]


def test_booleans_with_gaps_stay_booleans(write: Any) -> None:
    assert read(write("y,x\nTRUE,1\n,2\nfalse,3\n"))["y"].tolist() == [True, None, False]


def test_a_single_column_of_sentences_is_no_table_of_words(write: Any) -> None:
    assert read(write("text\ngreat film\nbad film\n"))["text"].tolist() == ["great film", "bad film"]
    prose = ["Well, it was fine", "No", "Oh, no, not again", "a, b, c, d, e", "plain words"]
    assert read(write("text\n" + "\n".join(prose) + "\n"))["text"].tolist() == prose


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "is empty"),
        ("  \n\n", "is empty"),
        ("a,b,c\n", "header but no rows"),
        ("a,b\n1,2\n3,4,5\n6,7\n", "line 3: 3 cells where line 1 has 2"),
        ("a,b,c\n1,2,3\n4,5\n6,7,8\n", "line 3: 2 cells"),
        ("a,b,a\n1,2,3\n4,5,6\n", "'a' is in the header twice"),
        (b"\x00\x01\x02\x03" * 50, "binary content"),
        (b"PK\x03\x04rest", "Excel workbook"),
        (b"PAR1rest", "source.kind=parquet"),
        (b"%PDF-1.7", "PDF"),
        ('a,b\n"1,2\n3,4,5\n', "quotes do not pair up"),
    ],
)
def test_mistakes_are_named(write: Any, content: str | bytes, says: str) -> None:
    message = refused(write(content))
    assert says in message
    assert "t.csv" in message


def test_the_ragged_line_counts_lines_inside_quotes(write: Any) -> None:
    assert "line 5:" in refused(write('a,b\n"x\ny\nz",2\n3,4,5\n6,7\n'))


def test_a_missing_file_names_its_neighbour(write: Any) -> None:
    path = write(TABLE, "churn.csv")
    assert f"Did you mean {str(path)!r}" in refused(path.with_name("chrun.csv"))
    assert "there is no folder" in refused(path.parent / "nowhere" / "t.csv")
    assert "is a folder" in refused(path.parent)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.lists(CELLS, min_size=3, max_size=3), min_size=2, max_size=8),
    st.sampled_from([",", ";", "\t", "|"]),
)
def test_what_the_standard_library_writes_is_read_back(tmp_path_factory: Any, rows: list[list[str]], by: str) -> None:
    stream = io.StringIO()
    csv.writer(stream, delimiter=by, quoting=csv.QUOTE_ALL).writerows([["first", "second", "third"], *rows])
    path = tmp_path_factory.mktemp("written") / "t.csv"
    path.write_text(stream.getvalue(), encoding="utf-8", newline="")
    table = read(path, header=True, quote='"')
    got = [[None if pd.isna(v) else v for v in row] for row in table.astype(object).to_numpy().tolist()]
    assert [[_same(v) for v in row] for row in got] == [[_same(v) for v in row] for row in rows]


def _same(value: Any) -> str:
    """Numbers and booleans are read as such; only their spelling may differ."""
    word = "" if value is None else str(value).strip()
    try:
        return repr(float(word))
    except ValueError:
        return word.lower() if word.lower() in ("true", "false") else word


@pytest.mark.parametrize(
    ("file", "shape", "last"),
    [
        ("adult/adult.data", (32561, 15), "Y"),
        ("adult/adult.test", (16281, 15), "Y"),
        ("heart_cleveland/processed.cleveland.data", (303, 14), "Target"),
        ("bank_churn/Churn_Modelling_m.csv", (10000, 14), "Exited"),
        ("breast_cancer_ljubljana/breast-cancer.csv", (286, 10), "column_10"),
        ("sms_spam/spam.csv", (5572, 5), "unnamed_5"),
        ("babe/final_labels_SG2.csv", (3674, 8), "biased_words"),
    ],
)
def test_real_files_are_read_without_a_hint(shared_data: Path, file: str, shape: tuple[int, int], last: str) -> None:
    table = read(shared_data / file)
    assert table.shape == shape
    assert list(table)[-1] == last
    words = table.select_dtypes("object")
    assert (
        not words.apply(lambda c: c.dropna().astype(str).str.contains(r"^\s|\s$|^'.*'$")).any(axis=None)
        or "text" in last
    )
    assert not any(re.search(r"^\s|\s$|^$", name) for name in table)

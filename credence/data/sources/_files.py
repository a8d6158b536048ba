"""File access shared by sources: find a file, detect its encoding and compression, flatten its columns."""

import codecs
import difflib
import gzip
import io
import json
import re
import zlib
from collections.abc import Callable, Iterator
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, cast

import pandas as pd
from charset_normalizer import from_bytes

from credence.core.errors import InputError
from credence.data.sources import Source

BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
OTHERS = {
    b"PK\x03\x04": "a zip archive or an Excel workbook; unpack it, or save the sheet as CSV",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook; save the sheet as CSV",
    b"PAR1": "a Parquet file; read it with source.kind=parquet",
    b"SQLite format 3": "an SQLite database; read it with source.kind=sql",
    b"BZh": "a bzip2 archive; unpack it, or pack it with gzip",
    b"%PDF": "a PDF; export its table as CSV",
}
GZIP = b"\x1f\x8b"
LEGACY = ["cp1252", "cp1250", "cp1251", "cp1253", "koi8_r", "shift_jis", "euc_jp", "gb18030", "big5", "euc_kr"]
SAMPLE_BYTES, BLOCK_BYTES = 200_000, 1 << 20
CONTROL = re.compile(r"[\x00-\x08\x0e-\x19\x1b-\x1f]")
WESTERN_SHARE = 0.4


class FileSource(Source):
    """A source that is one file or one folder; `path` is relative to the working directory."""

    path: Path


def require_path(path: Path) -> Path:
    """Return the path with ~ expanded.

    Raises:
        InputError: The path does not exist; the message suggests a similar name.
    """
    path = path.expanduser()
    if path.exists():
        return path
    if not path.parent.is_dir():
        raise InputError(f"{path}: there is no folder {path.parent}; paths count from the folder the command runs in.")
    close = difflib.get_close_matches(path.name, [p.name for p in path.parent.iterdir()], n=1, cutoff=0.5)
    hint = f"Did you mean {str(path.parent / close[0])!r}?" if close else "Check source.path."
    raise InputError(f"{path}: no such file. {hint}")


OpenedFile = Callable[[], BinaryIO]


def read_text(path: Path, encoding: str | None = None) -> str:
    """Read a text file, also gzipped.

    Args:
        path: The file.
        encoding: Its encoding; detected by default.

    Raises:
        InputError: The file does not exist, is empty, is binary or is not in this encoding.
    """
    text = "".join(read_lines(path, detect_encoding(path, encoding)))
    if not text.strip():
        raise InputError(f"{path} is empty; expected a table.")
    return text


def detect_encoding(path: Path, encoding: str | None = None) -> str:
    """Return the encoding of a file, after checking that the whole file can be decoded.

    Args:
        path: The file, also gzipped.
        encoding: The encoding to check; detected by default.

    Raises:
        InputError: There is no such file, it is binary or a damaged gzip, or the encoding is wrong.
    """
    path = require_path(path)
    if path.is_dir():
        raise InputError(f"{path} is a folder; expected a file (folders are read with source.kind=folder or parquet).")
    try:
        return _checked_encoding(partial(_open, path), path, encoding)
    except (OSError, EOFError, zlib.error):
        raise InputError(f"{path}: the gzip file is damaged or cut short; pack or download it again.") from None


def read_lines(path: Path, encoding: str) -> Iterator[str]:
    """Yield the lines of a file with their ends, in the encoding that `detect_encoding` returns."""
    return _lines(partial(_open, require_path(path)), encoding)


def decode(data: bytes, path: Path, encoding: str | None = None) -> str:
    """Decode bytes.

    Args:
        data: The content of the file.
        path: The file, for messages.
        encoding: Its encoding; detected by default.

    Raises:
        InputError: The content is binary, or not in this encoding.
    """
    opened = partial(io.BytesIO, data)
    return "".join(_lines(opened, _checked_encoding(opened, path, encoding)))


def _checked_encoding(opened: OpenedFile, path: Path, encoding: str | None) -> str:
    encoding = encoding or _guess_encoding(opened, path)
    try:
        line = _undecodable_line(opened, encoding)
    except LookupError:
        raise InputError(
            f"{path}: no encoding is called {encoding!r}; leave out source.encoding to have it detected."
        ) from None
    if line is not None:
        raise InputError(f"{path}, line {line}: not {encoding} text; name the right source.encoding, or leave it out.")
    return encoding


def _lines(opened: OpenedFile, encoding: str) -> Iterator[str]:
    with io.TextIOWrapper(opened(), encoding, newline="") as stream:
        yield stream.readline().removeprefix("\ufeff")
        yield from stream


def is_gzip(path: Path) -> bool:
    """Return whether a file is gzipped, by its first bytes."""
    with path.open("rb") as file:
        return file.read(len(GZIP)) == GZIP


def _open(path: Path) -> BinaryIO:
    return cast(BinaryIO, gzip.open(path)) if is_gzip(path) else path.open("rb")


def _guess_encoding(opened: OpenedFile, path: Path) -> str:
    with opened() as file:
        head = file.read(SAMPLE_BYTES)
    for mark, name in BYTE_ORDER_MARKS:
        if head.startswith(mark):
            return name
    if unmarked := _utf16_without_mark(head):
        return unmarked
    _refuse_binary(head, path)
    return "utf-8" if _undecodable_line(opened, "utf-8") is None else _guess_legacy_encoding(opened)


def _undecodable_line(opened: OpenedFile, encoding: str) -> int | None:
    """Return the line of the first bytes that are not in this encoding, or None."""
    decoder, line = codecs.getincrementaldecoder(encoding)(), 1
    with opened() as file:
        while True:
            block = file.read(BLOCK_BYTES)
            try:
                decoder.decode(block, final=not block)
            except UnicodeDecodeError as error:
                return line + error.object.count(b"\n", 0, error.start)
            if not block:
                return None
            line += block.count(b"\n")


def _utf16_without_mark(head: bytes) -> str | None:
    """Detect UTF-16 of mostly Latin text: of the even or the odd bytes many are zero, of the others none."""
    even, odd = head[0::2].count(0), head[1::2].count(0)
    for zeros, others, name in ((odd, even, "utf-16-le"), (even, odd, "utf-16-be")):
        if zeros > 0.3 * len(head) / 2 and others == 0 and not CONTROL.search(head.decode(name, "ignore")):
            return name
    return None


def _refuse_binary(head: bytes, path: Path) -> None:
    for start, what in OTHERS.items():
        if head.startswith(start):
            raise InputError(f"{path} is {what}.")
    if b"\0" in head or len(CONTROL.findall(head.decode("latin-1"))) > 0.02 * len(head):
        raise InputError(f"{path} holds binary content; expected a text file.")


def _guess_legacy_encoding(opened: OpenedFile) -> str:
    """Guess an 8-bit or East Asian encoding from the lines that are not ASCII.

    Western text is recognized first, because charset-normalizer takes few accents for Eastern European ones.
    """
    sample = _lines_beyond_ascii(opened)
    best = None if _is_western(sample) else from_bytes(sample, cp_isolation=LEGACY).best()
    found = best.encoding if best else "cp1252"
    return found if _undecodable_line(opened, found) is None else "latin-1"


def _lines_beyond_ascii(opened: OpenedFile) -> bytes:
    found = bytearray()
    with opened() as file:
        for line in file:
            if not line.isascii():
                found += line.rstrip(b"\n") + b"\n"
                if len(found) > SAMPLE_BYTES:
                    break
    return bytes(found[:SAMPLE_BYTES])


def _is_western(sample: bytes) -> bool:
    """Return whether few letters have accents and, decoded as cp1252, words contain no symbols."""
    high = sum(byte >= 0xC0 for byte in sample)
    letters = high + sum(chr(byte).isalpha() for byte in sample if byte < 0x80)
    odd = len(re.findall(r"(?<=[^\W\d_])[\u00a1-\u00b4\u00b6-\u00bf](?=[^\W\d_])", sample.decode("latin-1")))
    return high < WESTERN_SHARE * letters and odd <= 0.1 * high


def flatten_columns(table: pd.DataFrame) -> pd.DataFrame:
    """Convert columns in place and return the table: lists and structs to JSON text, decimals to float64.

    Categorical columns get the type of their categories.
    """
    for name in table.columns:
        if isinstance(table[name].dtype, pd.CategoricalDtype):
            table[name] = table[name].astype(table[name].cat.categories.dtype)
        elif table[name].dtype != object:
            continue
        elif table[name].map(lambda v: isinstance(v, Decimal)).any():
            table[name] = table[name].astype("float64")
        elif table[name].map(_nested).any():
            table[name] = table[name].map(lambda v: json.dumps(v, default=_plain) if _nested(v) else v)
    return table


def _nested(value: Any) -> bool:
    return isinstance(value, (list, dict, tuple)) or getattr(value, "ndim", 0) > 0


def _plain(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else str(value)

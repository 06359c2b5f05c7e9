"""Corpora: files read in pieces, so that none has to fit into memory, and texts that come along."""

from __future__ import annotations

import codecs
import gzip
import os
import zlib
from collections.abc import Iterable, Iterator
from importlib import resources
from pathlib import Path
from typing import IO

from ..dataset import DataError

PIECE = 1 << 20  # bytes read at once
ERRORS = ("raise", "replace")


def read_text(path: str | os.PathLike[str], on_error: str = "raise", piece: int = PIECE) -> Iterator[str]:
    """The text of a UTF-8 file in pieces of about `piece` bytes, which end behind a line or a space.

    Joined, they are the text, without the mark that some editors put at its start. A file whose name ends in
    .gz is unpacked. Bytes that are no UTF-8 raise DataError with their place, or, with on_error="replace",
    become U+FFFD. Where neither line nor space ends, a piece ends anywhere, after four times as much.
    """
    path = Path(path)
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            yield from read_stream(file, str(path), on_error, piece)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: cannot be read ({getattr(error, 'strerror', None) or error})") from error


def read_stream(file: IO[bytes], name: str, on_error: str = "raise", piece: int = PIECE) -> Iterator[str]:
    """What `read_text` gives, of an open file of bytes; `name` is what errors call it."""
    if on_error not in ERRORS:
        raise ValueError(f"read_text: on_error must be one of {ERRORS}, got {on_error!r}")
    decoder = codecs.getincrementaldecoder("utf-8")("strict" if on_error == "raise" else "replace")
    read, rest, started, ended = 0, "", False, False
    while not ended:
        block = file.read(piece)
        begun, ended = len(decoder.getstate()[0]), not block  # bytes of a character that the last block cut
        try:
            text = decoder.decode(block, final=ended)
        except UnicodeDecodeError as error:
            raise DataError(
                f"{name}: byte {read - begun + error.start:,} (0x{error.object[error.start]:02x}) is no "
                "UTF-8; convert the file, or pass --errors replace to go on"
            ) from None
        rest += text if started else text.removeprefix("\ufeff")
        started = started or bool(text)
        read += len(block)
        if cut := len(rest) if ended else _cut(rest, 4 * piece):
            yield rest[:cut]
            rest = rest[cut:]


def _cut(text: str, most: int) -> int:
    """Where a piece ends: behind the last line, else the last space, else anywhere, else nowhere yet."""
    return text.rfind("\n") + 1 or text.rfind(" ") + 1 or (len(text) if len(text) >= most else 0)


def read_rows(
    path: str | os.PathLike[str], columns: int, on_error: str = "raise"
) -> Iterator[tuple[str, ...]]:
    """Rows of a file of tab-separated columns, without quotes; further columns and empty lines are left out.

    Raises DataError for a row with fewer, or with an empty one, naming its line.
    """
    for number, line in enumerate(_lines(read_text(path, on_error)), 1):
        if not line.strip():
            continue
        row = tuple(cell.strip() for cell in line.split("\t")[:columns])
        if len(row) < columns or not all(row):
            raise DataError(
                f"{path}: line {number:,} must have {columns} columns with a tab between them, none of them "
                f"empty, got {line[:60]!r}"
            )
        yield row


def _lines(pieces: Iterable[str]) -> Iterator[str]:
    rest = ""
    for piece in pieces:
        *lines, rest = (rest + piece).replace("\r\n", "\n").split("\n")
        yield from lines
    yield rest


def python_topics() -> str:
    """Half a megabyte of English about Python, which every CPython carries: what `help()` knows of topics."""
    try:
        from pydoc_data.topics import topics
    except ImportError as error:
        raise DataError(
            "this Python has no pydoc_data.topics: name a text of your own, --text FILE"
        ) from error
    return "\n\n".join(topics[name].strip() for name in sorted(topics)) + "\n"


def surnames() -> list[tuple[str, str]]:
    """(surname, language): 10,881 names of 19 languages, no name in two of them. See TEXTS.md."""
    return [(name, language) for language, name in read_rows(_embedded("surnames.tsv.gz"), 2)]


def sentence_pairs() -> list[tuple[str, str]]:
    """(English, Chinese): 5,000 pairs of short sentences, in the order of Tatoeba's numbers. See TEXTS.md."""
    return [(english, chinese) for english, chinese in read_rows(_embedded("sentences.tsv.gz"), 2)]


def _embedded(name: str) -> Path:
    return Path(str(resources.files(__package__).joinpath(name)))

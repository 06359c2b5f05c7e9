"""Vectors of words: neighbors, analogies, and the files of word2vec and GloVe."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np

from .dataset import DataError

FORMS = "word2vec", "word2vec-binary", "glove"


class WordVectors:
    """`words` with their `vectors` (V, D), float32; words[i] belongs to vectors[i].

    Raises ValueError for words that are there twice or are not as many as the vectors.
    """

    def __init__(self, words: Sequence[str], vectors: np.ndarray) -> None:
        self.words = list(words)
        self.vectors = np.asarray(vectors, np.float32)
        if self.vectors.ndim != 2 or len(self.words) != len(self.vectors):
            raise ValueError(
                f"WordVectors: {len(self.words)} words need as many vectors (V, D), got {self.vectors.shape}"
            )
        self.index = {word: i for i, word in enumerate(self.words)}
        if len(self.index) < len(self.words):
            twice = next(w for i, w in enumerate(self.words) if self.index[w] != i)
            raise ValueError(f"WordVectors: {twice!r} is there twice")
        length = np.linalg.norm(self.vectors, axis=1, keepdims=True)
        self.unit = self.vectors / np.where(length == 0, 1, length)

    def __len__(self) -> int:
        return len(self.words)

    def __contains__(self, word: str) -> bool:
        return word in self.index

    def __getitem__(self, word: str) -> np.ndarray:
        """The vector of a word; KeyError if it has none."""
        return self.vectors[self.number(word)]  # type: ignore[no-any-return]

    def number(self, word: str) -> int:
        """The place of a word in `words`; KeyError if it is not there."""
        if word not in self.index:
            raise KeyError(f"{word!r} is not among the {len(self)} words")
        return self.index[word]

    def similarity(self, one: str, other: str) -> float:
        """The cosine of the angle between two words."""
        return float(self.unit[self.number(one)] @ self.unit[self.number(other)])

    def neighbors(self, word: str, count: int = 10) -> list[tuple[str, float]]:
        """The `count` words nearest to `word`, nearest first, with their cosines."""
        place = self.number(word)
        return self._nearest(self.unit[place], [place], count)

    def analogy(self, a: str, b: str, c: str, count: int = 10) -> list[tuple[str, float]]:
        """What is to c as b is to a: the words nearest to b − a + c, all of length 1, but not these three.

        Mikolov et al. 2013a; "3CosAdd" of Levy & Goldberg 2014.
        """
        places = [self.number(w) for w in (a, b, c)]
        x, y, z = self.unit[places]
        return self._nearest(y - x + z, places, count)

    def _nearest(self, vector: np.ndarray, without: list[int], count: int) -> list[tuple[str, float]]:
        if count < 1:
            raise ValueError(f"neighbors: count must be at least 1, got {count}")
        length = float(np.linalg.norm(vector))
        cosine = self.unit @ (vector / (length or 1.0))
        cosine[without] = -np.inf
        order = np.argsort(-cosine, kind="stable")[: min(count, len(self) - len(set(without)))]
        return [(self.words[i], float(cosine[i])) for i in order]

    def save(self, file: str | os.PathLike[str], form: str = "word2vec") -> None:
        """Write a file that word2vec, gensim and `load_vectors` read; `form` is one of FORMS.

        Text has the digits that bring every float32 back. Raises ValueError for a word that is empty or has
        white space, with which these files separate.
        """
        _check_form("save", form)
        for word in self.words:
            if not word or word.split() != [word]:
                raise ValueError(f"save: {word!r} has white space or no letter; a {form} file cannot hold it")
        with open(file, "wb") as out:
            if form != "glove":
                out.write(f"{len(self)} {self.vectors.shape[1]}\n".encode())
            for word, vector in zip(self.words, self.vectors, strict=True):
                if form == "word2vec-binary":
                    out.write(word.encode() + b" " + vector.astype("<f4").tobytes() + b"\n")
                else:
                    out.write(" ".join([word, *map(str, vector)]).encode() + b"\n")


def load_vectors(
    file: str | os.PathLike[str], form: str | None = None, limit: int | None = None, errors: str = "strict"
) -> WordVectors:
    """Read vectors that word2vec, GloVe, gensim or `WordVectors.save` wrote, the first `limit` of them.

    `form` None: found out. A first line of two integers makes a word2vec file, text if the next line is one
    word and that many numbers. `errors="replace"` reads words that are no UTF-8 with � in them. A word that
    comes twice keeps its first vector, as in gensim.

    Raises DataError that names the place for a file that is cut off, or that is none of these.
    """
    if form is not None:
        _check_form("load_vectors", form)
    if limit is not None and limit < 1:
        raise ValueError(f"load_vectors: limit must be at least 1, got {limit}")
    path = Path(file)
    with open(path, "rb") as opened:
        form = form or _form(opened)
        opened.seek(0)
        count = dim = None
        if form != "glove":
            count, dim = _header(path, opened.readline(200))
            limit = count if limit is None else min(limit, count)
        first = 1 if dim is None else 2
        binary = form == "word2vec-binary"  # dim is read from its first line
        rows = _binary_rows(opened, dim or 0) if binary else _text_rows(path, opened, dim, first)
        words: dict[str, int] = {}
        vectors, read = [], 0
        for read, (raw, vector) in enumerate(rows, 1):
            word = _decoded(path, raw, read, errors)
            if word not in words:
                words[word] = len(words)
                vectors.append(vector)
            if read == limit:
                break
    if count and limit and read < limit:
        raise DataError(f"{path}: the file ends after {read} of {count} vectors")
    if not vectors:
        raise DataError(f"{path}: no vectors")
    return WordVectors(list(words), np.stack(vectors))


def _check_form(op: str, form: str) -> None:
    if form not in FORMS:
        raise ValueError(f"{op}: form must be one of {FORMS}, got {form!r}")


def _form(opened: BinaryIO) -> str:
    header = opened.readline(200).split()
    if len(header) != 2 or not all(part.isdigit() for part in header):
        return "glove"
    numbers = opened.readline(1 << 20).rstrip(b"\r\n ").rsplit(b" ", int(header[1]))[1:]
    try:
        return "word2vec" if len([*map(float, numbers)]) == int(header[1]) else "word2vec-binary"
    except ValueError:
        return "word2vec-binary"


def _header(path: Path, line: bytes) -> tuple[int, int]:
    parts = line.split()
    if len(parts) != 2 or not all(part.isdigit() for part in parts) or not int(parts[1]):
        raise DataError(
            f"{path}: a word2vec file begins with the numbers of words and of dimensions, not {line!r}"
        )
    return int(parts[0]), int(parts[1])


def _binary_rows(opened: BinaryIO, dim: int) -> Iterator[tuple[bytes, np.ndarray]]:
    """word, a blank, dim little-endian float32; word2vec.c ends each with a newline, gensim does not."""
    while True:
        word = bytearray()
        while (letter := opened.read(1)) and letter != b" ":
            if letter != b"\n" or word:
                word += letter
        if not letter:
            return
        numbers = opened.read(4 * dim)
        if len(numbers) < 4 * dim:
            return
        yield bytes(word), np.frombuffer(numbers, "<f4").astype(np.float32)


def _text_rows(
    path: Path, opened: BinaryIO, dim: int | None, first: int
) -> Iterator[tuple[bytes, np.ndarray]]:
    """word and dim numbers a line; dim None: that of the first line. A word of GloVe may have blanks."""
    for number, line in enumerate(opened, first):
        line = line.rstrip(b"\r\n").rstrip(b" ")
        if not line:
            continue
        dim = line.count(b" ") if dim is None else dim
        word, *numbers = line.rsplit(b" ", dim)
        try:
            vector = np.array(numbers, np.float32)
        except ValueError:
            vector = np.zeros(0, np.float32)
        if vector.shape != (dim,) or not dim:
            raise DataError(f"{path}, line {number}: a word and {dim} numbers should be here: {line[:60]!r}")
        yield word, vector


def _decoded(path: Path, word: bytes, number: int, errors: str) -> str:
    try:
        return word.decode("utf-8", errors)
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path}: word {number}, {word!r}, is no UTF-8 ({error}); errors='replace' goes on"
        ) from None

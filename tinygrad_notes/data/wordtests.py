"""How good vectors of words are: analogies that they solve, similarities beside those that people gave."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from .dataset import DataError
from .vectors import WordVectors

AT_ONCE = 256  # analogies in one product


def evaluate_vectors(vectors: WordVectors, file: str | os.PathLike[str]) -> dict[str, Any]:
    """`analogies`, if the first line of the file has four words or begins with ":", else `similarities`."""
    for _, fields in _lines(Path(file), None):
        return (analogies if fields[0].startswith(":") or len(fields) == 4 else similarities)(vectors, file)
    raise DataError(f"{file}: no questions")


def analogies(vectors: WordVectors, file: str | os.PathLike[str]) -> dict[str, Any]:
    """The share of questions "a b c d" whose d is the word nearest to b − a + c, a, b and c left out.

    `file` is questions-words.txt or like it: sections begin with ": name". Words are looked up as they are
    written, else in lower case; questions with a word that is not there are counted as "skipped".
    """
    sections: dict[str, list[list[int]]] = {}
    name, skipped = "", 0
    for number, fields in _lines(Path(file), None):
        if fields[0].startswith(":"):
            name = " ".join(fields).lstrip(": ")
            continue
        if len(fields) != 4:
            raise DataError(f"{file}, line {number}: four words make an analogy, got {len(fields)}")
        places = [place for word in fields if (place := _place(vectors, word)) is not None]
        if len(places) < len(fields):
            skipped += 1
        else:
            sections.setdefault(name, []).append(places)
    right = {name: int(_solved(vectors, np.array(asked)).sum()) for name, asked in sections.items()}
    total = sum(map(len, sections.values()))
    return {
        "accuracy": sum(right.values()) / total if total else None, "questions": total, "skipped": skipped,
        "sections": {name: {"accuracy": right[name] / len(asked), "questions": len(asked)}
                     for name, asked in sections.items()},
    }  # fmt: skip


def _solved(vectors: WordVectors, asked: np.ndarray) -> np.ndarray:
    """Which of the questions (n, 4) are answered by their last word."""
    unit, answers = vectors.unit, []
    for start in range(0, len(asked), AT_ONCE):
        a, b, c, _ = asked[start : start + AT_ONCE].T
        cosine = (unit[b] - unit[a] + unit[c]) @ unit.T
        rows = np.arange(len(a))
        for given in (a, b, c):
            cosine[rows, given] = -np.inf
        answers.append(cosine.argmax(axis=1))
    return np.concatenate(answers) == asked[:, 3]  # type: ignore[no-any-return]


def similarities(
    vectors: WordVectors, file: str | os.PathLike[str], among: set[str] | None = None
) -> dict[str, Any]:
    """The correlation of cosines with the scores of lines "word word score", separated by tabs or commas.

    "spearman" is that of the ranks, "pearson" that of the numbers, None of fewer than two pairs or where one
    side is constant. Words are looked up as in `analogies`; pairs with others, or not `among` those given,
    count as "skipped".
    """
    pairs, scores, skipped = [], [], 0
    for line, (number, fields) in enumerate(_lines(Path(file), ",")):
        try:
            one, other, score = fields[0], fields[1], float(fields[2])
        except (IndexError, ValueError):
            if line == 0 and len(fields) >= 3:
                continue  # titles
            raise DataError(f"{file}, line {number}: two words and a number should be here") from None
        places = _place(vectors, one, among), _place(vectors, other, among)
        if None in places:
            skipped += 1
        else:
            pairs.append(places)
            scores.append(score)
    first, second = np.array(pairs, int).reshape(-1, 2).T
    cosines = (vectors.unit[first] * vectors.unit[second]).sum(axis=1, dtype=np.float64)
    return {
        "spearman": _correlation(_ranks(cosines), _ranks(np.array(scores))),
        "pearson": _correlation(cosines, np.array(scores)), "pairs": len(pairs), "skipped": skipped,
    }  # fmt: skip


def _ranks(x: np.ndarray) -> np.ndarray:
    """1 for the least; equal numbers share the mean of their ranks."""
    _, place, count = np.unique(x, return_inverse=True, return_counts=True)
    last = np.cumsum(count)
    return ((last - count + 1 + last) / 2)[place] if len(x) else np.zeros(0)


def _correlation(x: np.ndarray, y: np.ndarray) -> float | None:
    if len(x) < 2:
        return None
    x, y = x - x.mean(), y - y.mean()
    size = float(np.sqrt((x @ x) * (y @ y)))
    return float(x @ y) / size if size else None


def _place(vectors: WordVectors, word: str, among: set[str] | None = None) -> int | None:
    for form in (word, word.lower()):
        if form in vectors.index and (among is None or form in among):
            return vectors.index[form]
    return None


def _lines(path: Path, separator: str | None) -> Iterator[tuple[int, list[str]]]:
    """(number, fields) of lines that are neither empty nor begin with #; tabs separate, or else blanks."""
    with open(path, encoding="utf-8") as lines:
        try:
            for number, line in enumerate(lines, 1):
                line = line.strip()
                if line and not line.startswith("#"):
                    line = line.replace(separator, "\t") if separator else line
                    yield number, [field.strip() for field in line.split("\t" if "\t" in line else None)]
        except UnicodeDecodeError as error:
            raise DataError(f"{path}: no UTF-8 text ({error})") from None

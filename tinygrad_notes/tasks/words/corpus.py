"""A text as numbers on disk: read once, in pieces, so that memory holds its distinct words and no more.

The words are numbered as they come. When all are counted, those of the training part that are frequent enough
get their final numbers, and the file is rewritten, again in pieces.
"""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ...data import DataError
from ...data.text import Vocabulary, python_topics, read_text
from ...train.options import RunError
from ...train.task import Parts
from .settings import TOPICS, Settings

TEST = 0.1  # share of a text, at its end
PIECE = 1 << 22  # numbers held at once
END, UNKNOWN = -1, -2
WORD = r"[^\W_]+(?:['’][^\W_]+)*"
PATTERNS = {
    "marks": re.compile(rf"({WORD})|[.!?…]+(?=\s)|\n[^\S\n]*\n|[。！？]"),
    "lines": re.compile(rf"({WORD})|\n"),
}


class Numbers:
    """A part of a text as a dataset: ids (N,) of words, −1 behind each sentence; see `data.Windows`."""

    def __init__(self, ids: np.ndarray) -> None:
        self.ids = ids

    def __len__(self) -> int:
        return len(self.ids)

    def fingerprint(self) -> str:
        """A digest (BLAKE2b) of the numbers."""
        digest = hashlib.blake2b(digest_size=16)
        for start in range(0, len(self.ids), PIECE):
            digest.update(np.ascontiguousarray(self.ids[start : start + PIECE].astype("<i4")))
        return digest.hexdigest()


def tokens(pieces: Iterable[str], sentences: str) -> Iterator[list[str | None]]:
    """The words of each piece of a text in lower case, and None where a sentence ends."""
    pattern, rest = PATTERNS[sentences], ""
    for piece in pieces:
        text = rest + piece
        end = len(text.rstrip())  # white space may end a sentence together with what follows
        seen = end + (sentences == "marks")  # a mark ends one only before white space
        yield [match[1] and match[1].lower() for match in pattern.finditer(text, 0, seen)]
        rest = text[end:]
    yield [None]


def load(settings: Settings, facts: dict[str, Any] | None) -> Parts:
    """The text cut into training, validation (unless it is a file of its own) and test, in this order."""
    known = None if facts is None else Vocabulary.from_dict(facts["vocabulary"]).ids
    words: dict[str, int] = {} if known is None else dict(known)
    raw = {"text": _numbered(settings.data, settings, words)}
    if isinstance(settings.validation, str):
        raw["validation"] = _numbered(settings.validation, settings, words)
    cuts = _cuts(raw["text"], 0.0 if isinstance(settings.validation, str) else settings.validation or 0.0)
    cut = {name: raw["text"][i:j][: settings.limit] for name, (i, j) in cuts.items()}
    if "validation" in raw:
        cut["validation"] = raw["validation"][: settings.limit]
    if known is None:
        vocabulary = _vocabulary(settings, words, cut["training"])
        facts = {"vocabulary": vocabulary.to_dict()}
        final = np.array([vocabulary.ids.get(word, UNKNOWN) for word in words], np.int32)
    else:
        final = np.arange(len(words), dtype=np.int32)
        final[len(known) :] = UNKNOWN
    parts = {name: Numbers(_renumbered(ids, final)) for name, ids in cut.items()}
    for name, part in parts.items():
        if not _has_pairs(part.ids):
            raise DataError(f"{settings.data}: no two known words stand beside each other in the {name} part")
    return Parts(parts["training"], parts.get("validation"), parts["test"], facts or {})


def _numbered(data: str, settings: Settings, words: dict[str, int]) -> np.ndarray:
    """The text `data`, its words numbered by `words`, which takes in those that are new."""
    if data == TOPICS:
        pieces: Iterable[str] = [python_topics()]
    elif Path(data).is_file():
        pieces = read_text(data, settings.errors)
    else:
        raise DataError(f"{data}: no such text file; --data takes {TOPICS} or a text file")
    with tempfile.TemporaryFile() as file:
        for found in tokens(pieces, settings.sentences):
            ids = [END if word is None else words.setdefault(word, len(words)) for word in found]
            file.write(np.array(ids, np.int32).tobytes())
        ids = _mapped(file)
    if len(ids) < 2:
        raise DataError(f"{data}: the text has no words")
    return ids


def _mapped(file: Any) -> np.ndarray:
    """The numbers of a file without a name; it lasts as long as they do."""
    file.flush()
    return np.memmap(file, np.int32, "r") if file.tell() else np.zeros(0, np.int32)


def _cuts(ids: np.ndarray, validation: float) -> dict[str, tuple[int, int]]:
    """Where the parts begin and end, behind the end of a sentence where there is one near."""
    test = _sentence(ids, round((1 - TEST) * len(ids)))
    held = _sentence(ids, round((1 - validation) * test)) if validation else test
    cuts = {"training": (0, held), "test": (test, len(ids))}
    return cuts | ({"validation": (held, test)} if validation else {})


def _sentence(ids: np.ndarray, place: int) -> int:
    """The first place from `place` on that is behind the end of a sentence; `place` if none is near."""
    ends = np.flatnonzero(ids[max(place - 1, 0) : place + 1000] == END)
    return max(place - 1, 0) + 1 + int(ends[0]) if len(ends) else place


def _vocabulary(settings: Settings, words: dict[str, int], training: np.ndarray) -> Vocabulary:
    """The words that stand often enough in the training part: frequent ones first, equals by letters."""
    counts = np.zeros(len(words), np.int64)
    for start in range(0, len(training), PIECE):
        piece = training[start : start + PIECE]
        counts += np.bincount(piece[piece >= 0], minlength=len(words))
    names = list(words)
    chosen = sorted(np.flatnonzero(counts >= settings.min_count), key=lambda i: (-counts[i], names[i]))
    if len(chosen) < 2:
        raise RunError(
            f"{settings.data}: {len(chosen)} words stand {settings.min_count} times or more in the training "
            "part, and at least 2 are needed; lower --min-count, or take a longer text"
        )
    return Vocabulary([names[i] for i in chosen], [int(counts[i]) for i in chosen])


def _renumbered(ids: np.ndarray, final: np.ndarray) -> np.ndarray:
    """`ids` with the numbers that `final` gives, without unknown words, in a file of its own."""
    with tempfile.TemporaryFile() as file:
        for start in range(0, len(ids), PIECE):
            piece = ids[start : start + PIECE]
            new = np.where(piece == END, np.int32(END), final[np.maximum(piece, 0)])
            file.write(new[new != UNKNOWN].tobytes())
        return _mapped(file)


def _has_pairs(ids: np.ndarray) -> bool:
    pieces = (ids[start : start + PIECE + 1] for start in range(0, len(ids), PIECE))
    return any(bool(((piece[1:] >= 0) & (piece[:-1] >= 0)).any()) for piece in pieces)

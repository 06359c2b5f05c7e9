"""Words and what stands around them: the batches of Word2Vec, drawn from a text that may be on disk.

A text is one line of int32 numbers: words 0..V−1, and −1 at the end of each sentence. It is read in pieces
and in order, so a memory map of a file of any size will do.
"""

from __future__ import annotations

import operator
from collections.abc import Generator, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .loader import DataLoader, _at_least, _bits
from .questions import Noise, Tree

PIECE = 32  # batches that are drawn together
STEEPEST = 3.0  # of lr·r, see `steady`
LARGEST = 2048


class Around(NamedTuple):
    """B blocks of a text: P = L + 2·window places, of which the middle L are predicted.

    words (B, P); seen (B, P, L): whether place p lies in the window of the l-th middle word; ids (B, M), yes
    and no (B, L, M): the questions about these, see `Asked`.
    """

    words: Any
    seen: Any
    ids: Any
    yes: Any
    no: Any

    @classmethod
    def blank(cls, window: int = 5, questions: int = 6) -> Around:
        """One word amid a whole window of words 0, and what is asked: a sample of the shapes."""
        places = np.zeros((1, 2 * window + 1), np.int64)
        asked = np.ones((1, 1, questions), np.float32)
        ids = np.zeros((1, questions), np.int64)
        return cls(places, np.ones((1, places.size, 1), np.float32), ids, asked, asked)


class Windows(DataLoader):
    """Batches (`Around`) of the words of `text` and their windows, in the order of the text.

    Args:
        text: (N,) integers, an array or a memory map: words 0..V−1, −1 ends a sentence.
        counts: (V,) how often each word occurs, for noise, tree and subsampling.
        window: c; the window of each word reaches b places to both sides, b drawn from 1..c, in its sentence.
        negative: K words of noise for each word, see `Noise`; 0 asks the turns of a Huffman tree, see `Tree`.
        sample: t; frequent words are left out before windows are taken, see `keep_probability`. 0 keeps all.
        words_per_batch: of the text, before any are left out; None: what steps of `lr` allow, see `steady`.
        seed: of everything drawn. With `fixed` every epoch draws the same, for comparable losses.
    """

    def __init__(
        self, text: np.ndarray, counts: np.ndarray, window: int = 5, negative: int = 5, sample: float = 1e-3,
        formula: str = "code", power: float = 0.75, words_per_batch: int | None = None,
        lr: float = 0.025, seed: int | None = None, fixed: bool = False, prefetch: int = 2,
    ) -> None:  # fmt: skip
        if text.ndim != 1 or text.dtype.kind not in "iu":
            raise ValueError(f"Windows: text must be one line of integers, got {text.dtype} {text.shape}")
        self.text = text
        self.window = _at_least("window", window, 1)
        negative = _at_least("negative", negative, 0)
        self.questions = Noise(counts, negative, power) if negative else Tree(counts)
        self.keep = keep_probability(counts, sample, formula)
        self.fixed = bool(fixed)
        size = words_per_batch
        if size is None:
            size = steady(self.questions.often(self.keep * counts / np.sum(counts)) * (self.window + 1), lr)
        super().__init__(text, _at_least("words_per_batch", size, 1), prefetch=prefetch, seed=seed)
        self._augments = True  # what is asked is drawn, so each epoch has a key

    def _draw_key(self) -> int:
        if self.fixed:
            return int(_bits(self.seed or 0, 0).random_raw() >> 1)
        return super()._draw_key()

    def _batches(self, key: int, start: int) -> Generator[Around, None, None]:
        size = self.batch_size
        for piece in range(start // PIECE, -(-len(self) // PIECE)):
            raw = np.asarray(self.text[piece * PIECE * size : (piece + 1) * PIECE * size])
            batches = self._piece(raw, -(-len(raw) // size), np.random.Generator(_bits(key, piece + 1)))
            for index, batch in enumerate(batches, piece * PIECE):
                if index >= start:
                    yield batch

    def _piece(self, raw: np.ndarray, batches: int, rng: np.random.Generator) -> Iterator[Around]:
        """The batches of a piece of text. What is drawn is the same whichever of them are wanted."""
        if raw.min(initial=0) < -1 or raw.max(initial=0) >= len(self.keep):
            raise ValueError(
                f"Windows: the text has words {raw.min()}..{raw.max()}, "
                f"but counts are of 0..{len(self.keep) - 1}"
            )
        is_word = raw >= 0
        sentence = np.cumsum(~is_word, dtype=np.int32)
        kept = is_word & (rng.random(len(raw)) < self.keep[np.where(is_word, raw, 0)])
        words, sentence = raw[kept], sentence[kept]
        c, size = self.window, self.questions.block
        blocks = -(-len(words) // size)
        radius = rng.integers(1, c + 1, (blocks, size), dtype=np.int32)
        behind = (c, blocks * size - len(words) + c)
        words, sentence = np.pad(words, behind), np.pad(sentence, behind, constant_values=-1)
        place = np.arange(blocks)[:, None] * size + np.arange(size + 2 * c)
        words, sentence = words[place], sentence[place]
        for i in range(batches):
            part = slice(i * blocks // batches, (i + 1) * blocks // batches)
            asked = self.questions.ask(words[part, c : c + size], rng)
            yield Around(words[part], _seen(sentence[part], radius[part], c), *asked)


def _seen(sentence: np.ndarray, radius: np.ndarray, window: int) -> np.ndarray:
    """(B, P, L): not the middle word itself, within its radius, in its sentence (−1: none)."""
    places, size = sentence.shape[1], radius.shape[1]
    middle = sentence[:, None, window : window + size]
    distance = abs(np.arange(places)[:, None] - window - np.arange(size))  # (P, L)
    reached = (distance > 0) & (distance <= radius[:, None])
    return reached & (sentence[:, :, None] == middle) & (middle >= 0)  # type: ignore[no-any-return]


def steady(often: np.ndarray, lr: float) -> int:
    """How many words make a batch whose steps of `lr` do not overshoot; a word asks row v `often`_v times.

    A batch of n words adds up n·often_v gradients of row v, none of which sees what the others do: for the
    row that a question is about, r = n Σ often² / Σ often on average. Pair after pair would stop where the
    question is answered. The sum does not, so lr·r is kept below STEEPEST (and n in 16..LARGEST).
    """
    total = float(np.sum(often))
    together = float(np.sum(np.square(often))) / total if total else 0.0
    return int(min(LARGEST, max(16, STEEPEST / (lr * together)))) if lr * together else LARGEST


def keep_probability(counts: np.ndarray, sample: float = 1e-3, formula: str = "code") -> np.ndarray:
    """The probability that a word of frequency f = count / Σ counts stays in the text; t = `sample`, 0: 1.

    "paper" leaves words out with probability 1 − √(t/f), so keeps √(t/f) (Mikolov et al. 2013b); "code",
    word2vec.c, keeps (√(f/t) + 1) t/f = √(t/f) + t/f. Both at most 1.
    """
    counts = np.asarray(counts, float)
    if formula not in ("paper", "code"):
        raise ValueError(f"keep_probability: formula must be 'paper' or 'code', got {formula!r}")
    if not sample >= 0:
        raise ValueError(f"keep_probability: sample must be at least 0, got {sample}")
    if sample == 0:
        return np.ones(len(counts))
    ratio = sample * counts.sum() / counts
    return np.minimum(1, np.sqrt(ratio) + (ratio if formula == "code" else 0))  # type: ignore[no-any-return]


def write_ids(sentences: Iterable[Iterable[int]], file: str | Path) -> np.ndarray:
    """Write sentences of word numbers to `file`, one at a time, and return its memory map; see `Windows`.

    The file is plain: int32 numbers in the machine's order, −1 at the end of each sentence.
    """
    part = Path(f"{file}.part")  # whoever has the old file mapped keeps it
    with open(part, "wb") as out:
        for sentence in sentences:
            out.write(np.array([*map(operator.index, sentence), -1], np.int32).tobytes())
    part.replace(file)
    return read_ids(file)


def read_ids(file: str | Path) -> np.ndarray:
    """The memory map of a file that `write_ids` wrote: nothing is read before it is used."""
    size = Path(file).stat().st_size
    if size % 4:
        raise ValueError(f"read_ids: {file} has {size} bytes, which are no int32 numbers")
    return np.memmap(file, np.int32, "r") if size else np.zeros(0, np.int32)

"""``python -m benchmarks.word2vec``: word vectors here and of gensim, with the same settings and text.

Each FILE of ``--text`` is read line by line, of each of ``--pairs`` the first column; Python's topics come
along. Every 20th line is held out. Printed are the loss a pair on it (the same pairs and noise for both), the
rank correlation with WordSim-353 on words seen at least 5 times, words per second of processor time (of all
threads: OPENBLAS_NUM_THREADS=1 makes it one), and the nearest neighbors of some words. WordSim-353 is the
copy in gensim's tests, unless ``--wordsim`` names another.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import tinygrad_notes as tg
from tinygrad_notes.data import Windows, WordVectors, similarities
from tinygrad_notes.data.text import python_topics, read_rows, read_text
from tinygrad_notes.tasks.words.corpus import tokens

DIM, WINDOW, SAMPLE, LEAST, RATE = 100, 5, 1e-3, 5, 0.025
LIMIT = 40.0  # of a row's gradient, as in `train word2vec`
SHOWN = "king", "love", "water", "list", "two", "she"


@dataclass
class Text:
    """Sentences of words; every 20th is held out. `words` and `counts` are of the others, frequent first."""

    training: list[list[str]]
    held_out: list[list[str]]
    words: list[str]
    counts: np.ndarray

    def numbers(self, sentences: Iterable[Sequence[str]]) -> np.ndarray:
        index = {word: i for i, word in enumerate(self.words)}
        return np.array([i for s in sentences for i in [*(index[w] for w in s if w in index), -1]], np.int32)


def read(texts: Sequence[str], pairs: Sequence[str]) -> Text:
    sources = [python_topics(), *("".join(read_text(path)) for path in texts)]
    sources += ["\n".join(row[0] for row in read_rows(path, 1)) for path in pairs]
    sentences, sentence = [], list[str]()
    for found in tokens((source + "\n" for source in sources), "lines"):
        for word in found:
            if word is not None:
                sentence.append(word)
            elif sentence:
                sentences.append(sentence)
                sentence = []
    training = [s for i, s in enumerate(sentences) if i % 20]
    counted = Counter(word for s in training for word in s)
    kept = sorted((w for w, n in counted.items() if n >= LEAST), key=lambda w: (-counted[w], w))
    return Text(training, sentences[::20], kept, np.array([counted[w] for w in kept]))


@dataclass
class Trained:
    """Both tables in the order of the text's words, the questions of `syn1`, and raw words per second."""

    syn0: np.ndarray
    syn1: np.ndarray
    questions: Any
    speed: float


def ours(text: Text, form: argparse.Namespace, seed: int) -> Trained:
    tg.manual_seed(seed)
    model = tg.models.Word2Vec(len(text.words), DIM, form.architecture)
    numbers = text.numbers(text.training)
    loader = Windows(numbers, text.counts, WINDOW, form.negative, SAMPLE, lr=RATE, seed=seed, prefetch=0)
    optimizer = tg.optim.RowSGD(model.parameters(), RATE, max_norm=LIMIT)
    model.pick = optimizer.pick
    schedule = tg.optim.lr_scheduler.LinearLR(optimizer, 1.0, 1e-4, form.epochs * len(loader))
    start = time.process_time()
    for _ in range(form.epochs):
        for batch in loader:
            model(batch).backward()
            optimizer.step()
            schedule.step()
    seconds = time.process_time() - start
    state = model.state_dict()
    speed = form.epochs * sum(map(len, text.training)) / seconds
    return Trained(state["syn0"], state["syn1"], loader.questions, speed)


def gensims(text: Text, form: argparse.Namespace, seed: int) -> Trained:
    from gensim.models import Word2Vec

    tree = not form.negative
    model = Word2Vec(
        vector_size=DIM, window=WINDOW, min_count=LEAST, sample=SAMPLE, alpha=RATE, min_alpha=1e-4 * RATE,
        sg=int(form.architecture == "skip-gram"), hs=int(tree), negative=form.negative, workers=1,
        seed=seed + 1,
    )  # fmt: skip
    model.build_vocab(text.training)
    start = time.process_time()
    model.train(text.training, total_examples=len(text.training), epochs=form.epochs)
    seconds = time.process_time() - start
    order = [model.wv.key_to_index[word] for word in text.words]
    questions = Windows(np.zeros(1, int), text.counts, negative=form.negative).questions
    if tree:
        questions.path, questions.code = _ways(model, text.words, questions.path.shape[1])
    output = model.syn1 if tree else model.syn1neg[order]
    speed = form.epochs * sum(map(len, text.training)) / seconds
    return Trained(model.wv.vectors[order], output, questions, speed)


def _ways(model: Any, words: Sequence[str], least: int) -> tuple[np.ndarray, np.ndarray]:
    """The ways of gensim's own tree, as `data.huffman` gives them."""
    codes = [model.wv.get_vecattr(word, "code") for word in words]
    points = [model.wv.get_vecattr(word, "point") for word in words]
    shape = (len(words), max(least, *map(len, codes)))
    path, code = np.full(shape, -1, np.int32), np.zeros(shape, np.int8)
    for i, (turns, nodes) in enumerate(zip(codes, points, strict=True)):
        path[i, : len(turns)], code[i, : len(turns)] = nodes[: len(turns)], turns
    return path, code


def held_out_loss(text: Text, form: argparse.Namespace, found: Trained) -> float:
    """A pair's, with windows and noise that are the same for everybody; no word is left out."""
    model = tg.models.Word2Vec(len(text.words), DIM, form.architecture)
    model.load_state_dict({"syn0": found.syn0, "syn1": found.syn1})
    numbers = text.numbers(text.held_out)
    loader = Windows(numbers, text.counts, WINDOW, form.negative, 0.0, seed=0, fixed=True)
    loader.questions = found.questions
    with tg.no_grad():
        sums = [(model(batch).item(), model.count(batch)) for batch in loader]
    return sum(loss for loss, _ in sums) / sum(count for _, count in sums)


def compared(
    text: Text, form: argparse.Namespace, wordsim: str, seed: int
) -> Iterator[tuple[str, list[float]]]:
    """(name, [loss, correlation, pairs, words per second]) of both; then their neighbors are printed."""
    vectors = []
    for name, train in (("here", ours), ("gensim", gensims)):
        found = train(text, form, seed)
        vectors.append(WordVectors(text.words, found.syn0))
        ranks = similarities(vectors[-1], wordsim)
        yield name, [held_out_loss(text, form, found), ranks["spearman"], ranks["pairs"], found.speed]
    if seed == 0:
        for word in (word for word in SHOWN if word in vectors[0]):
            for name, those in zip(("here", "gensim"), vectors, strict=True):
                print(f"  {word:8} {name:8} {', '.join(near for near, _ in those.neighbors(word, 8))}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--text", action="append", default=[], metavar="FILE")
    parser.add_argument("--pairs", action="append", default=[], metavar="FILE.tsv")
    parser.add_argument("--wordsim", metavar="FILE")
    parser.add_argument("--architecture", choices=("skip-gram", "cbow"), default="skip-gram")
    parser.add_argument("--negative", type=int, default=5, help="0: hierarchical softmax")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--seeds", type=int, default=3)
    form = parser.parse_args()
    wordsim = form.wordsim or _gensims_copy()
    text = read(form.text, form.pairs)
    print(f"{sum(map(len, text.training)):,} words, {len(text.words):,} different ones; {form.architecture}, "
          f"{f'{form.negative} words of noise' if form.negative else 'hierarchical softmax'}, "
          f"{form.epochs} epochs")  # fmt: skip
    rows: dict[str, list[list[float]]] = {"here": [], "gensim": []}
    for seed in range(form.seeds):
        for name, row in compared(text, form, wordsim, seed):
            rows[name].append(row)
            print(f"seed {seed} {name:8} loss {row[0]:.4f}  WordSim-353 {row[1]:+.3f} on {row[2]} pairs  "
                  f"{row[3]:9,.0f} words/s", flush=True)  # fmt: skip
    here, gensim = (np.mean(rows[name], axis=0) for name in ("here", "gensim"))
    print(f"mean: loss {here[0] / gensim[0] - 1:+.2%}, correlation {here[1] - gensim[1]:+.3f}, "
          f"{here[3] / gensim[3]:.2f} times gensim's words per second")  # fmt: skip


def _gensims_copy() -> str:
    from gensim.test.utils import datapath

    return str(Path(datapath("wordsim353.tsv")))


if __name__ == "__main__":
    main()

"""The task itself: words and their windows in, the cost of the questions about them out."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...data import Windows, WordVectors, evaluate_vectors
from ...data.text import Vocabulary
from ...data.windows import Around
from ...models import Word2Vec
from ...models.word2vec import losses
from ...nn import Module
from ...train.loop import evaluate
from ...train.options import RunError, option
from ...train.task import Outcome, Parts, Score, Task
from . import corpus
from .settings import TOPICS, Settings

DEFAULTS = {"epochs": 20, "lr": 0.025, "schedule": "linear", "validation": 0.05}
SHOWN = 8  # neighbors of a word


@dataclass(frozen=True)
class Testing:
    """Options of `eval` that only word vectors have."""

    evaluate: str | None = option(None, metavar="FILE", help="questions-words.txt, or a table of pairs of "
                                  "words and scores, as of WordSim-353")  # fmt: skip


@dataclass(frozen=True)
class Predicting:
    """Options of `predict` that only word vectors have."""

    count: int = option(SHOWN, least=1, help="neighbors of each word")


class Counted(Windows):
    """Batches (*Around, the share of each of their losses in the mean, how many they are)."""

    def __init__(self, architecture: str, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.architecture = architecture

    def _batches(self, key: int, start: int) -> Generator[tuple[Any, ...], None, None]:
        for batch in super()._batches(key, start):
            count = max(losses(batch.seen, self.architecture), 1)
            yield *batch, np.array(1 / count), count


class Words(Task):
    """Word2Vec. Facts: the vocabulary and its counts.

    The loss is that of one pair of words (of cbow, of one word and its window) in nats: of the word itself
    and its noise, or of all turns of the tree.
    """

    name = "words"
    unit = "pairs"
    models: Mapping[str, Mapping[str, Any]] = {"word2vec": DEFAULTS}
    datasets = (TOPICS,)
    Settings = Settings
    Testing = Testing
    Predicting = Predicting

    def takes(self, data: str) -> bool:
        return data == TOPICS or Path(data).is_file()

    def load(self, settings: Settings, facts: dict[str, Any] | None = None, **how: Any) -> Parts:
        return corpus.load(settings, facts)

    def build(self, settings: Settings, facts: dict[str, Any]) -> Module:
        words = len(facts["vocabulary"]["tokens"])
        return Word2Vec(words, settings.dim, settings.architecture, settings.context_gradient)

    def sample(self, settings: Settings, facts: dict[str, Any]) -> tuple[Any, ...]:
        return (Around.blank(settings.window),)

    def batches(
        self, settings: Settings, facts: dict[str, Any], part: Any, training: bool, options: Any = None
    ) -> Windows:
        """In the order of the text, as word2vec reads it. What is held out loses no words, and its windows
        and noise are the same each time."""
        return Counted(
            settings.architecture, part.ids, np.array(facts["vocabulary"]["counts"]), settings.window,
            settings.negative, settings.sample if training else 0.0, settings.formula, settings.power,
            settings.batch_size, settings.lr, seed=settings.seed if training else 0, fixed=not training,
        )  # fmt: skip

    def score(self, model: Any, batch: Any, training: bool) -> Score:
        """The mean as the loss, with the gradient of the sum: the learning rate is that of a single pair."""
        *around, share = batch
        total = model(around)
        value = total.detach()
        mean = value * share.astype(value.dtype)
        return Score(total - value + mean if training else mean)

    def test(
        self, settings: Settings, facts: dict[str, Any], model: Module, part: Any, options: Any
    ) -> Outcome:
        figures = evaluate(self, model, self.batches(settings, facts, part, training=False)).figures
        text, details = f"test loss {figures['loss']:.4f} a pair", {}
        if options.evaluate is not None:
            found = evaluate_vectors(vectors_of(facts, model), options.evaluate)
            text += f"; {Path(options.evaluate).name}: {_said(found)}"
            details["evaluation"] = found
        return Outcome(text, figures, details)

    def predict(
        self, settings: Settings, facts: dict[str, Any], model: Any, inputs: Sequence[str], options: Any
    ) -> Outcome:
        """The nearest neighbors of each word."""
        vectors = vectors_of(facts, model)
        found = {word: nearest(vectors, word, options.count) for word in inputs}
        rows = [(word, near, f"{cosine:.3f}") for word in inputs for near, cosine in found[word]]
        details = {word: dict(neighbors) for word, neighbors in found.items()}
        return Outcome("", {}, {"neighbors": details}, ("word", "neighbor", "cosine"), rows, 2)

    def announce(self, folder: Path, parts: Parts) -> list[str]:
        """How many words each part has, and how many different ones are known."""
        counts = parts.facts["vocabulary"]["counts"]
        sizes = ", ".join(f"{int((part.ids >= 0).sum()):,} {name}" for name, part in parts.named().items())
        return [f"words: {sizes}; {len(counts):,} different ones"]

    def between(self, run: Any) -> list[str]:
        """The neighbors of a word of medium frequency, as a look at what was learned."""
        vectors = vectors_of(run.facts, run.model)
        word = vectors.words[min(100, len(vectors) // 2)]
        return [f"  near {word}: {', '.join(near for near, _ in vectors.neighbors(word, 6))}"]

    def report(self, run: Any, outcome: Outcome | None) -> None:
        from .pictures import words_in_a_plane

        words_in_a_plane(vectors_of(run.facts, run.best_model()), run.folder / "words.png")


def vectors_of(facts: dict[str, Any], model: Module) -> WordVectors:
    """The words of a run, and the rows of syn0."""
    return WordVectors(Vocabulary.from_dict(facts["vocabulary"]).tokens, model.state_dict()["syn0"])


def nearest(vectors: WordVectors, word: str, count: int) -> list[tuple[str, float]]:
    """`WordVectors.neighbors`, of the word as it is or in lower case. Raises RunError for an unknown one."""
    return vectors.neighbors(known(vectors, word), count)


def known(vectors: WordVectors, word: str) -> str:
    """`word` as the vectors have it: as it is, or in lower case. Raises RunError where they have neither."""
    for form in (word, word.lower()):
        if form in vectors:
            return form
    raise RunError(
        f"{word!r} is not among the {len(vectors):,} words that have a vector; the training text has it too "
        "seldom (--min-count) or not at all"
    )


def _said(found: dict[str, Any]) -> str:
    if "accuracy" in found:
        share = "none" if found["accuracy"] is None else f"{found['accuracy']:.1%}"
        return f"{share} of {found['questions']:,} analogies ({found['skipped']:,} with unknown words)"
    rank = "none" if found["spearman"] is None else f"{found['spearman']:.3f}"
    return f"rank correlation {rank} on {found['pairs']:,} pairs ({found['skipped']:,} with unknown words)"


TASK = Words()

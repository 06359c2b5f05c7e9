"""The task itself: sequences in, one of the classes out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...autograd import Tensor, no_grad
from ...data.text import Buckets, Vocabulary
from ...models.classifier import SequenceClassifier
from ...models.summary import STEPS, sample_ids
from ...nn import Module
from ...ops.activation import softmax
from ...ops.loss import cross_entropy
from ...train.loop import evaluate
from ...train.options import RunError
from ...train.task import Outcome, Parts, Score, Task
from .. import classification
from . import samples
from .settings import DEFAULTS, SURNAMES, Settings


class Labels(Task):
    """Classes of sequences. Facts: classes, and the characters of texts, or mean and deviation of series."""

    name = "labels"
    unit = "sequences"
    models: Mapping[str, Mapping[str, Any]] = {"classify": DEFAULTS}
    datasets = (SURNAMES,)
    percent = ("accuracy",)
    Settings = Settings

    def load(self, settings: Settings, facts: dict[str, Any] | None = None, **how: Any) -> Parts:
        return samples.load(settings, facts)

    def build(self, settings: Settings, facts: dict[str, Any]) -> Module:
        texts = "characters" in facts
        return SequenceClassifier(
            len(facts["classes"]), len(Vocabulary.from_dict(facts["characters"])) if texts else None,
            1 if texts else len(facts["mean"]), settings.cell, settings.width, settings.layers,
            settings.bidirectional, settings.dropout, settings.heads, settings.places,
        )  # fmt: skip

    def sample(self, settings: Settings, facts: dict[str, Any]) -> tuple[Any, ...]:
        steps = min(STEPS, settings.places)
        if "characters" in facts:
            return sample_ids(steps)
        return (np.zeros((1, steps, len(facts["mean"])), np.float32),)

    def batches(
        self, settings: Settings, facts: dict[str, Any], part: Any, training: bool, options: Any = None
    ) -> Buckets:
        return Buckets(part, settings.batch_size if training else 256, shuffle=training)

    def score(self, model: Module, batch: Any, training: bool) -> Score:
        values, lengths, labels = batch
        logits = model(values, lengths)
        predicted = logits.detach().argmax(axis=1)
        hits = {"correct": (predicted == labels).sum()}
        return Score(cross_entropy(logits, labels), hits, {"predicted": predicted, "labels": labels})

    def figures(self, loss: float, weight: int, sums: Mapping[str, float]) -> dict[str, float]:
        return {"loss": loss, "accuracy": sums["correct"] / weight}

    def test(
        self, settings: Settings, facts: dict[str, Any], model: Module, part: Any, options: Any
    ) -> Outcome:
        found = evaluate(self, model, self.batches(settings, facts, part, training=False), each=True)
        predicted, labels = found.each["predicted"], found.each["labels"]
        return classification.outcome(found.figures, predicted, labels, facts["classes"], self.unit)

    def predict(
        self, settings: Settings, facts: dict[str, Any], model: Module, inputs: Sequence[str], options: Any
    ) -> Outcome:
        """The class of each text, or of each series of a file, and its probability."""
        names, values = _inputs(settings, facts, inputs)
        ragged = samples.encoded(values, facts, "predict")
        shares = np.concatenate([
            _shares(model, *ragged.padded(np.array([i]), 0)) for i in range(len(ragged))
        ])  # fmt: skip
        classes = facts["classes"]
        said = [(name, classes[p.argmax()], float(p.max())) for name, p in zip(names, shares, strict=True)]
        columns = ("input", "class", "probability")
        details = {"predictions": [dict(zip(columns, row, strict=True)) for row in said]}
        rows = [[*words, f"{100 * share:.1f} %"] for *words, share in said]
        return Outcome(_unknown(facts, inputs), details=details, columns=columns, rows=rows, left=2)

    def announce(self, folder: Path, parts: Parts) -> list[str]:
        return [f"{super().announce(folder, parts)[0]} of {len(parts.facts['classes'])} classes"]

    def report(self, run: Any, outcome: Outcome | None) -> None:
        """confusion_matrix."""
        if outcome is not None:
            classes = run.facts["classes"]
            predicted, labels = outcome.each["predicted"], outcome.each["labels"]
            counts = classification.confusion_matrix(predicted, labels, len(classes))
            classification.confusion_plot(counts, classes, run.folder / "confusion_matrix.png")


def _inputs(settings: Settings, facts: dict[str, Any], inputs: Sequence[str]) -> tuple[list[str], list[Any]]:
    """The texts themselves, or the series of the files named, read as those of the training were."""
    if "characters" in facts:
        if "" in inputs:
            raise RunError("predict: a text is empty; it needs at least one character")
        return list(inputs), list(inputs)
    names, values = list[str](), list[Any]()
    for file in inputs:
        read = samples.read(file, settings.errors)
        names += [f"{file}, series {i + 1}" for i in range(len(read.values))]
        values += read.values
    return names, values


def _unknown(facts: dict[str, Any], inputs: Sequence[str]) -> str:
    """What is said of characters that the model has never seen: they are read as one unknown character."""
    if "characters" not in facts:
        return ""
    known = Vocabulary.from_dict(facts["characters"])
    unknown = sorted({c for text in inputs for c in text if c not in known})
    return f"unknown characters, read as <unk>: {' '.join(map(repr, unknown))}" if unknown else ""


def _shares(model: Module, values: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    with no_grad():
        return softmax(model(Tensor(values), lengths), axis=1).numpy()


TASK = Labels()

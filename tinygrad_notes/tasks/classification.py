"""What tasks with classes share: accuracy, confusion matrix, precision and recall, as table and plot."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..train.plots import new_figure
from ..train.task import Outcome
from .lettering import Lettering

MOST_NAMES = 50  # of classes beside a confusion matrix: with more of them every second, third ... has one


def accuracy(predicted: Any, labels: Any) -> float:
    """The share of `predicted` (N,) that equals `labels` (N,), in [0, 1]."""
    predicted, labels = _pair(predicted, labels)
    if predicted.size == 0:
        raise ValueError("accuracy: there is no prediction to count")
    return float((predicted == labels).mean())


def confusion_matrix(predicted: Any, labels: Any, classes: int) -> np.ndarray:
    """C[i, j]: how many samples of class i were taken for class j; (classes, classes) int64."""
    predicted, labels = _pair(predicted, labels)
    for name, values in (("predicted", predicted), ("labels", labels)):
        if values.size and not (values.min() >= 0 and values.max() < classes):
            raise ValueError(
                f"confusion_matrix: {name} run from {values.min()} to {values.max()}, "
                f"outside of 0 to {classes - 1}"
            )
    counts = np.bincount(labels * classes + predicted, minlength=classes * classes)
    return counts.reshape(classes, classes)


def precision_recall(confusion: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(precision, recall) per class, (C,) each in [0, 1]; NaN where nothing was there to count.

    precision_j = C_jj / Σ_i C_ij: of what was called j, how much is j.
    recall_i    = C_ii / Σ_j C_ij: of what is i, how much was found.
    """
    hits = np.diag(confusion).astype(np.float64)
    called, there = confusion.sum(axis=0), confusion.sum(axis=1)
    nothing = np.full_like(hits, np.nan)
    return (
        np.divide(hits, called, out=nothing.copy(), where=called > 0),
        np.divide(hits, there, out=nothing, where=there > 0),
    )


def report(confusion: np.ndarray, classes: Sequence[str]) -> dict[str, Any]:
    """Everything above as plain numbers, fit for JSON."""
    precision, recall = precision_recall(confusion)
    total = int(confusion.sum())
    return {
        "samples": total,
        "accuracy": float(np.trace(confusion) / total),
        "classes": list(classes),
        "confusion_matrix": confusion.tolist(),
        "precision": [None if np.isnan(p) else float(p) for p in precision],
        "recall": [None if np.isnan(r) else float(r) for r in recall],
    }


def outcome(
    figures: dict[str, float], predicted: np.ndarray, labels: np.ndarray, classes: Sequence[str], unit: str
) -> Outcome:
    """What `eval` tells of a classifier: `figures` (loss, accuracy), and who is taken for whom as a table."""
    counts = confusion_matrix(predicted, labels, len(classes))
    details = report(counts, classes)
    rows = [
        [name, *(count or "." for count in row), _percent(precision), _percent(recall)]
        for name, row, precision, recall in zip(
            classes, counts.tolist(), details["precision"], details["recall"], strict=True
        )
    ]
    text = (f"{100 * details['accuracy']:.2f} % of {details['samples']:,} {unit} right, "
            f"loss {figures['loss']:.4f}")  # fmt: skip
    columns = ["true \\ predicted", *classes, "precision", "recall"]
    return Outcome(text, figures, details, columns, rows, 1, {"predicted": predicted, "labels": labels})


def confusion_plot(confusion: np.ndarray, classes: Sequence[str], path: str | os.PathLike[str]) -> None:
    """Which class is taken for which: shade is the share of the row, numbers are counts.

    Raises ImportError without Matplotlib.
    """
    count = len(classes)
    named = range(0, count, -(-count // MOST_NAMES))
    lettering = Lettering((classes[i] for i in named), signs=False)
    names, font = [lettering.of(classes[i]) for i in named], {"fontfamily": lettering.family}
    longest = max(map(len, names))
    size, room = min(max(4.2, 0.52 * count + 1.6), 14), 0.08 * min(max(longest - 10, 0), 60)
    figure = new_figure(size + 0.6 + room, size + room)
    axes = figure.subplots()
    share = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    # The square root shows the few mistakes of a good model beside its many hits.
    image = axes.imshow(np.sqrt(share), cmap="Blues", vmin=0, vmax=1)
    slanted = longest > 3 or count > 25
    look = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"} if slanted else {}
    axes.set_xticks(named, names, **font, **look)
    axes.set_yticks(named, names, **font)
    axes.tick_params(length=0)
    axes.set_xlabel("predicted class")
    axes.set_ylabel("true class")
    total = confusion.sum()
    right = 100 * np.trace(confusion) / max(total, 1)
    axes.set_title(f"{total:,} samples, {right:.2f} % right", loc="left", fontsize=11)
    if count <= 25:
        for i, j in zip(*np.nonzero(confusion), strict=True):
            axes.text(j, i, confusion[i, j], ha="center", va="center", fontsize=8,
                      color="white" if share[i, j] > 0.36 else "black")  # fmt: skip
    bar = figure.colorbar(image, ax=axes, fraction=0.046, pad=0.03)
    ticks = np.array([0, 0.01, 0.05, 0.2, 0.5, 1])
    bar.set_ticks(np.sqrt(ticks), labels=[f"{100 * t:.0f} %" for t in ticks])
    bar.set_label("share of the true class")
    bar.outline.set_visible(False)
    lettering.save(figure, path)


def listed(classes: Sequence[str]) -> str:
    """3 classes (a, b, c)"""
    return f"{len(classes)} classes ({', '.join(classes[:3])}{', ...' * (len(classes) > 3)})"


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f} %"


def _pair(predicted: Any, labels: Any) -> tuple[np.ndarray, np.ndarray]:
    predicted, labels = np.asarray(predicted), np.asarray(labels)
    if predicted.ndim != 1 or predicted.shape != labels.shape:
        raise ValueError(f"metrics: predictions {predicted.shape} and labels {labels.shape} must be (N,)")
    if predicted.dtype.kind not in "iu" or labels.dtype.kind not in "iu":
        raise TypeError(f"metrics: classes are integers, got {predicted.dtype} and {labels.dtype}")
    return predicted.astype(np.int64), labels.astype(np.int64)

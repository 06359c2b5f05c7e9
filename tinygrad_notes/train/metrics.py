"""How good a classifier is: accuracy, the confusion matrix, precision and recall per class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np


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


def _pair(predicted: Any, labels: Any) -> tuple[np.ndarray, np.ndarray]:
    predicted, labels = np.asarray(predicted), np.asarray(labels)
    if predicted.ndim != 1 or predicted.shape != labels.shape:
        raise ValueError(f"metrics: predictions {predicted.shape} and labels {labels.shape} must be (N,)")
    if predicted.dtype.kind not in "iu" or labels.dtype.kind not in "iu":
        raise TypeError(f"metrics: classes are integers, got {predicted.dtype} and {labels.dtype}")
    return predicted.astype(np.int64), labels.astype(np.int64)

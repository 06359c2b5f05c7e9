"""Mistakes in losses."""

from __future__ import annotations

import numpy as np

from ...ops import loss
from .entry import Wrong, entry, normal

A, B, C = (3, 4), (2, 3), (3, 3)
HALF = np.array([0.5, 0.0, 0.5])  # the mean over two rows of three: the second is ignored
CLASSES = {"labels": np.array([2, 0, 0]), "own": HALF, "share": HALF, "spread": None}


def _sigmoid_twice(xp, gy, x, t):
    p = 0.5 * xp.tanh(0.5 * x) + 0.5
    return gy * (p - t) * p * (1 - p)


def _ignored_learns(xp, gy, x, *, labels, own, share, spread):
    return loss._class_gradients(xp, x, labels, gy * (own * 0 + 0.5), gy, spread)


def _sum_not_mean(xp, gy, x, *, labels, own, share, spread):
    return loss._class_gradients(xp, x, labels, gy * own * 2, gy, spread)


def entries() -> list[Wrong]:
    """The mistakes, in the order of the operations."""
    c = loss.CrossEntropy
    draw = normal((2, 3), (2, 3), least=0.25)
    pair = normal(B, B)
    return [
        entry("cross-entropy: p instead of p − q", c, draw,
               {"backward_x": lambda xp, gy, log_p: xp.expand_dims(gy, 1) * xp.exp(log_p)}),
        entry("cross-entropy: p − q where Σ q is not 1", c, draw,
               {"backward_x": lambda xp, gy, log_p, q: xp.expand_dims(gy, 1) * (xp.exp(log_p) - q)}),
        entry("cross-entropy of classes: an ignored row learns too", loss.CrossEntropyOfClasses, normal(C),
               {"backward": _ignored_learns}, **CLASSES),
        entry("cross-entropy of classes: without the 1/N of the mean", loss.CrossEntropyOfClasses, normal(C),
               {"backward": _sum_not_mean}, **CLASSES),
        entry("binary cross-entropy: the sigmoid's derivative once more", loss.BinaryCrossEntropy, pair,
               {"backward_x": _sigmoid_twice}),
        entry("binary cross-entropy: without the minus of t", loss.BinaryCrossEntropy, pair,
               {"backward_t": lambda xp, gy, x: gy * x}),
        entry("squared error: without the 2", loss.SquaredError, pair,
               {"backward_a": lambda xp, gy, a, b, *, scale: gy * scale * (a - b)}, scale=0.25),
        entry("squared error: one sign for both", loss.SquaredError, pair,
               {"backward_b": lambda xp, gy, a, b, *, scale: gy * 2 * scale * (a - b)}, scale=0.25),
        entry("huber: not limited", loss.Huber, normal(A),
               {"backward": lambda xp, gy, d: gy * d}, delta=0.5),
    ]  # fmt: skip

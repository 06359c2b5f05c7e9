"""Mistakes in the losses of word vectors."""

from __future__ import annotations

import numpy as np

from ...ops import words
from .entry import Wrong, entry, normal

YES = np.array([[1.0, 0.0, 0.0], [0.5, 0.0, 1.0]])
NO = np.array([[0.0, 1.0, 0.0], [0.0, 1.0, 1.0]])  # 0 in both: noise that equals its target


def _sigma(xp, s):
    return 0.5 * xp.tanh(0.5 * s) + 0.5


def _from(slope):
    """The backward whose ∂ℓ/∂s is `slope` of (xp, p, a, b), with p = σ(s)."""

    def backward(xp, gy, s, x, w, *, a, b):
        g = xp.expand_dims(gy, -1) * slope(_sigma(xp, s), a, b)
        return xp.matmul(g, w), xp.matmul(xp.swapaxes(g, -1, -2), x)

    return backward


def _stepped_first(xp, gy, s, x, w, *, a, b):
    """x has made its step when w asks for it."""
    p = _sigma(xp, s)
    g = xp.expand_dims(gy, -1) * (b * p - a * (1 - p))
    gx = xp.matmul(g, w)
    return gx, xp.matmul(xp.swapaxes(g, -1, -2), x - 0.1 * gx)


def _first_input_only(xp, gy, s, x, w, *, a, b):
    p = _sigma(xp, s)
    g = xp.expand_dims(gy, -1) * (b * p - a * (1 - p))
    return xp.matmul(g, w), xp.expand_dims(g[..., 0, :], -1) * x[..., :1, :]


def entries() -> list[Wrong]:
    """The mistakes, in the order in which they are made."""
    slopes = {
        "the sign of yes": lambda p, a, b: b * p + a * (1 - p),
        "noise is pulled like the word": lambda p, a, b: (b + a) * (p - 1),
        "noise that equals the word learns": lambda p, a, b: b * p - a * (1 - p) + (a + b == 0) * p,
        "σ(s) for σ(−s)": lambda p, a, b: b * (1 - p) - a * p,
        "the logistic function's derivative once more": lambda p, a, b: (b * p - a * (1 - p)) * p * (1 - p),
        "every answer counts once": lambda p, a, b: (b > 0) * p - (a > 0) * (1 - p),
    }
    rules = {name: _from(slope) for name, slope in slopes.items()} | {
        "the input steps before the output's gradient": _stepped_first,
        "the sum over the inputs is lost": _first_input_only,
    }
    draw = normal((2, 2), (3, 2))
    return [
        entry(f"logistic pairs: {name}", words.LogisticPairs, draw, {"backward": rule}, a=YES, b=NO)
        for name, rule in rules.items()
    ]

"""Mistakes in the losses of word vectors."""

from __future__ import annotations

import numpy as np

from ...ops import words
from .entry import Wrong, entry, normal

Z = np.array([1.0, -1.0, -1.0])[None]
C = np.array([[1.0, 1.0, 0.0], [0.5, 1.0, 1.0]])  # 0: noise that equals its target


def _sigma(xp, u):
    return 0.5 * xp.tanh(0.5 * u) + 0.5


def _gradients(xp, g, x, w):
    return xp.matmul(g, w), xp.matmul(xp.swapaxes(g, -1, -2), x)


def _wrong_sign(xp, gy, s, x, w, *, z, c):
    """σ(s) − t for the noise, but t − σ(s) for the word itself."""
    return _gradients(xp, xp.expand_dims(gy, -1) * c * _sigma(xp, -z * s), x, w)


def _all_yes(xp, gy, s, x, w, *, z, c):
    """σ(s) − 1 for the noise too."""
    return _gradients(xp, xp.expand_dims(gy, -1) * -c * _sigma(xp, -s), x, w)


def _target_as_noise(xp, gy, s, x, w, *, z, c):
    """What is not asked learns too."""
    return _gradients(xp, xp.expand_dims(gy, -1) * -z * (c + (c == 0)) * _sigma(xp, -z * s), x, w)


def _probability(xp, gy, s, x, w, *, z, c):
    """−z σ(z s): as sure as it is already, instead of as wrong as it is."""
    return _gradients(xp, xp.expand_dims(gy, -1) * -z * c * _sigma(xp, z * s), x, w)


def _slope_twice(xp, gy, s, x, w, *, z, c):
    p = _sigma(xp, -z * s)
    return _gradients(xp, xp.expand_dims(gy, -1) * -z * c * p * (1 - p), x, w)


def _stepped_first(xp, gy, s, x, w, *, z, c):
    """x has made its step when w asks for it."""
    g = xp.expand_dims(gy, -1) * -z * c * _sigma(xp, -z * s)
    gx = xp.matmul(g, w)
    return gx, xp.matmul(xp.swapaxes(g, -1, -2), x - 0.1 * gx)


def _first_pair_only(xp, gy, s, x, w, *, z, c):
    g = xp.expand_dims(gy, -1) * -z * c * _sigma(xp, -z * s)
    return xp.matmul(g, w), xp.expand_dims(g[..., 0, :], -1) * x[..., :1, :]


def entries() -> list[Wrong]:
    """The mistakes, in the order in which they are made."""
    draw, of = normal((2, 2), (3, 2)), {"z": Z, "c": C}
    return [
        entry(f"logistic pairs: {name}", words.LogisticPairs, draw, {"backward": rule}, **of)
        for name, rule in (
            ("no sign", _wrong_sign), ("noise is pulled like the word", _all_yes),
            ("noise that equals the word learns", _target_as_noise), ("σ(z s) for σ(−z s)", _probability),
            ("the logistic function's derivative once more", _slope_twice),
            ("the input steps before the output's gradient", _stepped_first),
            ("the sum over the inputs is lost", _first_pair_only),
        )
    ]  # fmt: skip

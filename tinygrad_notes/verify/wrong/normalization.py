"""Mistakes in normalization."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...ops import normalization, response
from .entry import Wrong, entry, normal

FIXED = {"mean": np.array([[0.5, -0.25]]), "var": np.array([[1.5, 0.75]]), "eps": 0.125}
# Row i sums over channels i − 1 and i: an even window, so not symmetric.
RESPONSE = {"window": (1, 0), "alpha": 0.25, "beta": 0.75, "k": 2.0}


def _batch_norm(terms: Callable[..., Any]) -> dict[str, Any]:
    """The shipped rule with γ/(σm) · terms(Σ gy, x̂, Σ gy x̂) added to gx: the terms that it takes off."""

    def backward(xp, g, x, mean, var, gamma, *, eps):
        gx, g_gamma, g_beta = normalization.BatchNorm.backward(xp, g, x, mean, var, gamma, eps=eps)
        wide = [xp.reshape(a, mean.shape) for a in (gamma, g_beta, g_gamma)]
        inv_std = 1 / xp.sqrt(var + eps)
        share = wide[0] * inv_std * (mean.size / x.size)
        return gx + share * terms(wide[1], (x - mean) * inv_std, wide[2]), g_gamma, g_beta

    return {"backward": backward}


def _only_y(xp, g, x, mean, var, gamma, *, eps):
    return normalization.BatchNorm.backward(xp, (g[0], g[1] * 0, g[2] * 0), x, mean, var, gamma, eps=eps)


def _gamma_late(xp, gy, x, mean, inv_std, gamma, *, axes):
    x_hat = (x - mean) * inv_std
    along = xp.mean(gy * x_hat, axis=axes, keepdims=True)
    return gamma * (gy - xp.mean(gy, axis=axes, keepdims=True) - x_hat * along) * inv_std


def _own_channel(xp, gy, x, s, *, alpha, beta):
    return gy / s**beta * (1 - 2 * alpha * beta * x * x / s)


def _as_in_the_forward(xp, gy, x, s, *, window, alpha, beta):
    right = response.LocalResponseNorm.backward
    return right(xp, gy, x, s, window=window[::-1], alpha=alpha, beta=beta)


def entries() -> list[Wrong]:
    """The mistakes, in the order of the operations."""
    n, eps = normalization, {"eps": 0.125}
    batch, layer = normal((4, 2), (2,), (2,)), normal((2, 3), (3,), (3,))
    last = {"axes": (1,), **eps}
    return [
        entry("batch norm: without the term of the mean", n.BatchNorm, batch,
               _batch_norm(lambda g_beta, x_hat, g_gamma: g_beta), **eps),
        entry("batch norm: without the term of the variance", n.BatchNorm, batch,
               _batch_norm(lambda g_beta, x_hat, g_gamma: x_hat * g_gamma), **eps),
        entry("batch norm: statistics as constants", n.BatchNorm, batch,
               _batch_norm(lambda g_beta, x_hat, g_gamma: g_beta + x_hat * g_gamma), **eps),
        entry("batch norm: nothing through the returned statistics", n.BatchNorm, batch,
               {"backward": _only_y}, **eps),
        entry("batch norm, evaluation: without γ", n.BatchNormFixed, batch,
               {"backward_x": lambda xp, gy, *, var, eps: gy / xp.sqrt(var + eps)}, **FIXED),
        entry("batch norm, evaluation: the variance for its root", n.BatchNormFixed, batch,
               {"backward_x": lambda xp, gy, gamma, *, var, eps: gy * gamma / (var + eps)}, **FIXED),
        entry("batch norm, evaluation: β from the mean over the batch", n.BatchNormFixed, batch,
               {"backward_beta": lambda xp, gy: xp.mean(gy, axis=0)}, **FIXED),
        entry("layer norm: γ after the means instead of before", n.LayerNorm, layer,
               {"backward_x": _gamma_late}, **last),
        entry("layer norm: statistics as constants", n.LayerNorm, layer,
               {"backward_x": lambda xp, gy, inv_std, gamma: gy * gamma * inv_std}, **last),
        entry("layer norm: x instead of x̂ for γ", n.LayerNorm, layer,
               {"backward_gamma": lambda xp, gy, x: gy * x}, **last),
        entry("response norm: the own channel alone", response.LocalResponseNorm, normal((2, 3, 1)),
               {"backward": _own_channel}, **RESPONSE),
        entry("response norm: the windows of the forward, not transposed", response.LocalResponseNorm,
               normal((2, 3, 1)), {"backward": _as_in_the_forward}, **RESPONSE),
    ]  # fmt: skip

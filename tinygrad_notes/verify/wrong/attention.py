"""Mistakes in attention."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ...ops import alignment, attention, normalization, sequence
from .entry import Wrong, entry, normal

SCALE = 0.5
CAUSAL = np.tril(np.ones((3, 3), bool))
DROP = np.array([[2.0, 0.0, 2.0], [0.0, 2.0, 2.0], [2.0, 2.0, 0.0]])
PLAIN: dict[str, Any] = {"keep": None, "drop": None, "scale": SCALE, "whole": True}


def _inputs(rng: np.random.Generator) -> tuple[Any, ...]:
    """Q, K and V, and no bias."""
    return (*normal((3, 2), (3, 2), (3, 2))(rng), None)


def _softmax(xp, s, keep):
    if keep is not None:
        s = xp.where(keep, s, -math.inf)
    e = xp.exp(s - xp.max(s, axis=-1, keepdims=True))
    return e / xp.sum(e, axis=-1, keepdims=True)


def _backward(mistake: str) -> dict[str, Any]:
    """The derivation, line by line, with one mistake."""

    def backward(xp, gy, q, k, v, *, keep, drop, scale):
        s = scale * xp.matmul(q, k.T)
        if mistake == "mask after the softmax":
            p = xp.where(keep, _softmax(xp, s, None), 0)
        elif mistake == "mask shifted":
            p = _softmax(xp, s, np.tril(np.ones((3, 3), bool), 1))
        else:
            p = _softmax(xp, s, keep)
        ones = 1.0 if drop is None else drop
        gv = xp.matmul((p if mistake == "no drop in gV" else p * ones).T, gy)
        gp = xp.matmul(gy, v.T) * (1.0 if mistake == "no drop in gP" else ones)
        mean = xp.sum(p * gp, axis=-1, keepdims=True)
        gs = p * gp if mistake == "no mean" else p * (gp - mean)
        scale = 1.0 if mistake == "no scale" else scale
        gq, gk = scale * xp.matmul(gs, k), scale * xp.matmul(gs.T, q)
        return (gk, gq, gv, None) if mistake == "exchanged" else (gq, gk, gv, None)

    return {"backward": backward}


def _attention(name: str, mistake: str, **attributes: Any) -> Wrong:
    return entry(
        f"attention: {name}", attention.Attention, _inputs, _backward(mistake), **{**PLAIN, **attributes}
    )


def _additive(slope: Any, once: bool = False) -> dict[str, Any]:
    """The rule of the additive score, where tanh′ is `slope` of t; `once`: for the last query only."""

    def backward(xp, gy, s, h, w1, w2, v, t):
        g = xp.expand_dims(gy, -1)
        gz = g * v * slope(t)
        a, b = (gz[-1] if once else xp.sum(gz, axis=0)), xp.sum(gz, axis=1)
        gv = xp.sum(g * t, axis=(0, 1))
        return xp.matmul(b, w2), xp.matmul(a, w1), xp.matmul(a.T, h), xp.matmul(b.T, s), gv

    return {"backward": backward}


def entries() -> list[Wrong]:
    """The mistakes, in the order of the operations."""
    additive = normal((2, 1), (3, 2), (2, 2), (2, 1), (2,))
    a, rms = alignment, normalization.RMSNorm
    last = {"axes": (1,), "eps": 0.125}
    keep = {"keep": np.array([[True, False, True], [True, True, False]]), "axis": 1}
    return [
        _attention("the mask applied after the softmax", "mask after the softmax", keep=CAUSAL),
        _attention("the causal mask shifted by one", "mask shifted", keep=CAUSAL),
        _attention("without 1/√d", "no scale"),
        _attention("without −P (P · gP)", "no mean"),
        _attention("gV from the weights before dropout", "no drop in gV", drop=DROP),
        _attention("dropout's mask missing in gP", "no drop in gP", drop=DROP),
        _attention("the gradients of queries and keys exchanged", "exchanged"),
        entry("general score: W for its transpose", a.GeneralScore, normal((2, 2), (3, 2), (2, 2)),
               {"backward_s": lambda xp, gy, h, w: xp.matmul(xp.matmul(gy, h), w)}),
        entry("additive score: without tanh′", a.AdditiveScore, additive, _additive(lambda t: 1.0)),
        entry("additive score: 1 − t for 1 − t²", a.AdditiveScore, additive, _additive(lambda t: 1 - t)),
        entry("additive score: a key learns from the last query alone", a.AdditiveScore, additive,
               _additive(lambda t: 1 - t * t, once=True)),
        entry("masked softmax: the mean over hidden places too", sequence.MaskedSoftmax, normal((2, 3)),
               {"backward": lambda xp, gy, y: y * (gy - xp.mean(gy, axis=1, keepdims=True))}, **keep),
        entry("masked mean: divided by all steps", sequence.MaskedMean, normal((3, 2)),
               {"backward": lambda xp, gy, *, keep: xp.where(keep, gy / 3, 0)},
               keep=np.array([[True, True], [True, False], [False, False]]), n=np.array([2.0, 1.0]), axis=0),
        entry("RMS norm: the mean square as a constant", rms, normal((2, 3), (3,)),
               {"backward_x": lambda xp, gy, inv_rms, gamma: gy * gamma * inv_rms}, **last),
        entry("RMS norm: γ after the mean instead of before", rms, normal((2, 3), (3,)),
               {"backward_x": _gamma_late}, **last),
    ]  # fmt: skip


def _gamma_late(xp, gy, x, inv_rms, gamma, *, axes):
    x_hat = x * inv_rms
    return gamma * (gy - x_hat * xp.mean(gy * x_hat, axis=axes, keepdims=True)) * inv_rms

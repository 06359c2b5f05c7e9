"""Scores: how well each key fits each query, the notes' e. Their softmax over the keys weights the values.

Queries S (..., T, d) are the states s of a decoder, keys H (..., U, d′) those of an encoder, scores E
(..., T, U); leading axes broadcast. The scaled dot product has a rule of its own, in attention.py.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..autograd import Function, Tensor
from .arguments import as_tensor, check_real, mixed_dtypes


class DotScore(Function):
    """E = S Hᵀ: eᵢⱼ = sᵢ · hⱼ;  gS = gE H,  gH = gEᵀ S.  Luong et al. 2015."""

    broadcasts = True

    def forward(xp, s, h):
        return xp.matmul(s, xp.swapaxes(h, -1, -2))

    def backward_s(xp, gy, h):
        return xp.matmul(gy, h)

    def backward_h(xp, gy, s):
        return xp.matmul(xp.swapaxes(gy, -1, -2), s)


class GeneralScore(Function):
    """E = S W Hᵀ: eᵢⱼ = sᵢᵀ W hⱼ, with W (d, d′).  Luong et al. 2015.

    A bilinear form: gS = gE (H Wᵀ),  gW = Sᵀ gE H (all batches together),  gH = gEᵀ (S W).
    """

    broadcasts = True

    def forward(xp, s, h, w):
        return xp.matmul(xp.matmul(s, w), xp.swapaxes(h, -1, -2))

    def backward_s(xp, gy, h, w):
        return xp.matmul(xp.matmul(gy, h), w.T)

    def backward_h(xp, gy, s, w):
        return xp.matmul(xp.swapaxes(gy, -1, -2), xp.matmul(s, w))

    def backward_w(xp, gy, s, h):
        return _sum_of_products(xp, xp.matmul(gy, h), s).T


class AdditiveScore(Function):
    """eᵢⱼ = vᵀ tanh(W₁ hⱼ + W₂ sᵢ), with W₁ (n, d′), W₂ (n, d), v (n,).  Bahdanau et al. 2014.

    With z = W₁ hⱼ + W₂ sᵢ and t = tanh z:  gz = gE v (1 − t²),  gv = Σᵢⱼ gE t. A key is in the score of every
    query, a query in that of every key: a = Σᵢ gz gives gW₁ = aᵀ H, gH = a W₁, and b = Σⱼ gz gives gW₂, gS.
    """

    broadcasts = True
    saves = ("t",)

    def save(xp, s, h, w1, w2):
        keys, queries = xp.matmul(h, w1.T), xp.matmul(s, w2.T)
        return (xp.tanh(xp.expand_dims(keys, -3) + xp.expand_dims(queries, -2)),)

    def forward(xp, t, v):
        return xp.matmul(t, v)

    def backward(xp, gy, s, h, w1, w2, v, t):
        g = xp.expand_dims(gy, -1)
        gz = g * v * (1 - t * t)
        a, b = xp.sum(gz, axis=-3), xp.sum(gz, axis=-2)
        gw1, gw2 = _sum_of_products(xp, a, h), _sum_of_products(xp, b, s)
        gv = xp.sum(g * t, axis=tuple(range(gy.ndim)))
        return xp.matmul(b, w2), xp.matmul(a, w1), gw1, gw2, gv


def _sum_of_products(xp, whole, part):
    """Σ wholeᵀ part over the rows of all batches, as one product; `part` stretches to `whole`'s batches."""
    part = xp.broadcast_to(part, (*whole.shape[:-1], part.shape[-1]))
    rows = math.prod(whole.shape[:-1])
    return xp.matmul(xp.reshape(whole, (rows, whole.shape[-1])).T, xp.reshape(part, (rows, part.shape[-1])))


def dot_score(query: Any, key: Any) -> Tensor:
    """(..., T, U) of the products s · h: query (..., T, d), key (..., U, d)."""
    s, h = _read("dot_score", query, key)
    if s.shape[-1] != h.shape[-1]:
        raise ValueError(
            f"dot_score: query {s.shape} and key {h.shape} must have one last length; for two use "
            "general_score, or additive_score"
        )
    return DotScore.apply(s, h)


def general_score(query: Any, key: Any, weight: Any) -> Tensor:
    """(..., T, U) of sᵀ W h: query (..., T, d), key (..., U, d′), weight (d, d′)."""
    s, h, w = _read("general_score", query, key, weight)
    _check_weight("general_score", "weight", w, (s.shape[-1], h.shape[-1]))
    return GeneralScore.apply(s, h, w)


def additive_score(query: Any, key: Any, key_weight: Any, query_weight: Any, v: Any) -> Tensor:
    """(..., T, U) of vᵀ tanh(W₁ h + W₂ s): query (..., T, d), key (..., U, d′).

    key_weight W₁ (n, d′), query_weight W₂ (n, d), v (n,). It keeps T U n numbers for the backward.
    """
    op = "additive_score"
    s, h, w1, w2, v = _read(op, query, key, key_weight, query_weight, v)
    if v.ndim != 1:
        raise ValueError(f"{op}: v must be (n,), got {v.shape}")
    _check_weight(op, "key_weight", w1, (v.size, h.shape[-1]))
    _check_weight(op, "query_weight", w2, (v.size, s.shape[-1]))
    return AdditiveScore.apply(s, h, w1, w2, v)


def _read(op: str, query: Any, key: Any, *weights: Any) -> list[Tensor]:
    s, h, *rest = map(as_tensor, (query, key, *weights))
    check_real(op, "queries", s)
    if h.dtype != s.dtype or any(w.dtype != s.dtype for w in rest):
        raise mixed_dtypes(op, s, key=h, **{f"weight {i}": w for i, w in enumerate(rest, 1)})
    if min(s.ndim, h.ndim) < 2:
        raise ValueError(
            f"{op}: query (..., T, d) and key (..., U, d) need two axes, got {s.shape}, {h.shape}"
        )
    try:
        np.broadcast_shapes(s.shape[:-2], h.shape[:-2])
    except ValueError:
        raise ValueError(
            f"{op}: the leading axes of query {s.shape} and key {h.shape} do not broadcast"
        ) from None
    return [s, h, *rest]


def _check_weight(op: str, name: str, w: Tensor, shape: tuple[int, int]) -> None:
    if w.shape != shape:
        raise ValueError(f"{op}: {name} is {w.shape}; for these queries and keys it must be {shape}")

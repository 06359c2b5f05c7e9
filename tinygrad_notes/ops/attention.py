"""Attention: each query takes a mean of the values, weighted by how well their keys fit it.

A query is the state s of the notes, a key is h, which mostly is the value as well. Masks are True where a
query may attend.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import backend
from ..autograd import Function, Tensor
from .arguments import (
    as_tensor,
    check_real,
    constant,
    mixed_dtypes,
    number,
    probability,
    raw_array,
    stretches,
)
from .arithmetic import where
from .dropout import _draw
from .sequence import masked_softmax

KEPT = 1 << 22  # weights up to which they are kept for the backward: one product and one exp less


class Attention(Function):
    """Y = D V,  D = P ∘ drop,  P = softmax(S),  S = scale · Q Kᵀ + bias.  Vaswani et al. 2017.

    Q (..., T, d), K (..., U, d), V (..., U, e) → Y (..., T, e); leading axes broadcast. The softmax runs
    over the keys that `keep` holds, and is 0 for a query without any. `drop` holds 0 or 1/(1 − p).

    gV = Dᵀ gY,  gD = gY Vᵀ,  gP = gD ∘ drop,  gS = P ∘ (gP − Σ P gP),  gQ = scale gS K,  gK = scale gSᵀ Q.

    P = r E with E = exp(S − m), m the largest score of a query, r = 1/Σ E;  Σ P gP = Σ D gD = gY · Y.
    E is kept if `whole`; else it is computed again from m, and nothing is kept that grows with T · U.
    Dao et al. 2022, FlashAttention.
    """

    broadcasts = True
    saves = ("context", "e", "m", "r")

    def save(xp, q, k, v, bias, *, keep, drop, scale, whole):
        return xp.matrixwise(
            lambda q, k, v, bias, keep, drop: _attend(xp, q, k, v, bias, keep, drop, scale, whole),
            q, k, v, bias, keep, drop,
        )  # fmt: skip

    def forward(xp, context):
        return context

    def backward(xp, gy, q, k, v, bias, e, m, r, y, *, keep, drop, scale):
        return xp.matrixwise(
            lambda gy, q, k, v, bias, e, m, r, y, keep, drop: _gradients(
                xp, gy, q, k, v, bias, e, m, r, y, keep, drop, scale
            ),
            gy, q, k, v, bias, e, m, r, y, keep, drop,
        )  # fmt: skip


def _attend(xp, q, k, v, bias, keep, drop, scale, whole):
    """Y, E, m and r."""
    s = _scores(xp, q, k, bias, keep, scale)
    m = xp.max(s, axis=-1, keepdims=True)
    m = xp.where(xp.isfinite(m), m, 0)  # a query without keys: e^(−∞ − 0) = 0, not e^(−∞ + ∞)
    s -= m
    e = xp.exp(s)
    total = xp.sum(e, axis=-1, keepdims=True)
    r = 1 / (total + (total == 0))
    y = (e if drop is None else e * drop) @ v
    y *= r
    return y, e if whole else None, m, r


def _scores(xp, q, k, bias, keep, scale):
    """S, and −∞ where nobody may look: chosen, not multiplied in, so that nothing there can be ∞ · 0."""
    s = (q * scale) @ xp.swapaxes(k, -1, -2)
    if bias is not None:
        s = s + bias  # not in place: it may have leading axes that queries and keys have not
    if keep is not None:
        s = xp.where(keep, s, -math.inf)
    return s


def _gradients(xp, gy, q, k, v, bias, e, m, r, y, keep, drop, scale):
    """gQ, gK, gV and, where there is a bias, gS. The r of P = r E has moved to the rows of gY."""
    if e is None:
        e = xp.exp(_scores(xp, q, k, bias, keep, scale) - m)
    gy = gy * r
    gv = _over_queries(xp, e if drop is None else e * drop, gy)
    gs = gy @ xp.swapaxes(v, -1, -2)  # gD
    if drop is not None:
        gs *= drop  # gP
    gs -= xp.sum(gy * y, axis=-1, keepdims=True)
    gs *= e
    gq = gs @ k
    gq *= scale
    gk = _over_queries(xp, gs, q * scale)
    return gq, gk, gv, None if bias is None else gs


def _over_queries(xp, a, b):
    """aᵀ b of a (..., T, U) and b (..., T, d); for one query NumPy would not call BLAS, and takes long."""
    a = xp.swapaxes(a, -1, -2)
    return a * b if a.shape[-1] == 1 else a @ b


def matrixwise(function, *arrays) -> tuple[Tensor, ...]:
    """function(*arrays), made of operations on the last two axes: a backend may cut the others."""
    return function(*arrays)


def scaled_dot_product_attention(
    query: Any, key: Any, value: Any, attn_mask: Any = None, dropout_p: float = 0.0, is_causal: bool = False,
    scale: float | None = None, enable_gqa: bool = False, *, dropout_mask: Any = None,
) -> Tensor:  # fmt: skip
    """softmax(scale · Q Kᵀ + mask) V over the keys, scale = 1/√d by default.  Vaswani et al. 2017.

    query (..., T, d), key (..., U, d), value (..., U, e) → (..., T, e); leading axes broadcast.
    attn_mask: stretches to (..., T, U); booleans, True where a query may attend, or numbers that are added to
    the scores. `is_causal`: query i sees keys 0..i, also where T ≠ U. A query that sees no key gives zeros.
    `dropout_p` drops weights, always: pass 0 in evaluation; `dropout_mask` replaces the draw.
    `enable_gqa`: heads (axis −3) of key and value serve several heads of the query, in their order.

    Raises ValueError if shapes do not fit, TypeError for mixed dtypes and integer masks.
    """
    op = "scaled_dot_product_attention"
    q, k, v = as_tensor(query), as_tensor(key), as_tensor(value)
    _check_inputs(op, q, k, v, enable_gqa)
    shape = _weights_shape(op, q, k, v, enable_gqa)
    keep, bias = _read_mask(op, attn_mask, is_causal, q, shape)
    drop = _read_dropout(op, dropout_p, dropout_mask, shape, q.dtype)
    scale = 1 / math.sqrt(max(1, q.shape[-1])) if scale is None else number(op, "scale", scale)
    heads, dtype = q.shape[-3:-2], q.dtype
    if enable_gqa:
        serving = k.shape[-3]
        q, k, v, bias, keep, drop = (_grouped(x, serving) for x in (q, k, v, bias, keep, drop))
    if attn_mask is not None or (is_causal and shape[-1] > shape[-2]):
        mask = keep if bias is None else bias
        k, v = shown(k, mask), shown(v, mask)
    if dtype == np.float16:  # a score may pass 65504, and a sum of half precision loses digits
        q, k, v, bias, drop = (x if x is None else x.astype(np.float32) for x in (q, k, v, bias, drop))
    if 0 in shape[-2:]:  # no queries, or no keys: zeros, with a graph
        y = q @ k.mT @ v
    else:
        whole = math.prod(shape) <= KEPT
        y = Attention.apply(q, k, v, bias, keep=keep, drop=drop, scale=scale, whole=whole)
    y = y.reshape(*y.shape[:-4], *heads, *y.shape[-2:]) if enable_gqa else y
    return y if y.dtype == dtype else y.astype(dtype)


def attention_weights(q: Tensor, k: Tensor, mask: Tensor | None) -> Tensor:
    """P of `Attention`, which that never holds as a whole: (..., T, U), of a mask that fits."""
    if q.dtype == np.float16:  # as above
        wide = (x if x is None or x.dtype == bool else x.astype(np.float32) for x in (q, k, mask))
        return attention_weights(*wide).astype(np.float16)
    keep: Any = True
    if mask is not None:
        k, keep = shown(k, mask), mask if mask.dtype == bool else mask != -math.inf
    scores = q @ k.mT * (1 / math.sqrt(q.shape[-1]))
    return masked_softmax(scores if mask is None or mask.dtype == bool else scores + mask, keep)


def shown(x: Tensor, mask: Any) -> Tensor:
    """Keys or values (..., U, d) with 0 for those that the mask (..., T, U) hides from every query.

    Their weights are 0, and 0 · NaN is NaN: what padding holds would reach the outputs and the gradients.
    """
    mask = raw_array(mask)
    seen = mask.any(axis=-2) if mask.dtype == bool else mask.max(axis=-2) != -math.inf  # True for NaN
    return where(seen[..., None], x, 0.0)


def _check_inputs(op: str, q: Tensor, k: Tensor, v: Tensor, grouped: bool) -> None:
    check_real(op, "queries", q)
    if k.dtype != q.dtype or v.dtype != q.dtype:
        raise mixed_dtypes(op, q, key=k, value=v)
    if min(q.ndim, k.ndim, v.ndim) < 2 or q.shape[-1] != k.shape[-1] or k.shape[-2] != v.shape[-2]:
        raise ValueError(
            f"{op}: query (..., T, d), key (..., U, d) and value (..., U, e) do not fit: "
            f"{q.shape}, {k.shape}, {v.shape}"
        )
    if not grouped:
        return
    if min(q.ndim, k.ndim, v.ndim) < 3 or k.shape[-3] != v.shape[-3] or q.shape[-3] % max(1, k.shape[-3]):
        raise ValueError(
            f"{op}: with enable_gqa the heads (axis −3) of key and value must agree, and divide those of "
            f"the query: query {q.shape}, key {k.shape}, value {v.shape}"
        )


def _weights_shape(op: str, q: Tensor, k: Tensor, v: Tensor, grouped: bool) -> tuple[int, ...]:
    """(..., T, U), with the leading axes of all three; where heads are `grouped`, with the query's heads."""
    heads = q.shape[-3:-2]
    leads = [q.shape[:-2], *((*x.shape[:-3], *heads) if grouped else x.shape[:-2] for x in (k, v))]
    try:
        lead = np.broadcast_shapes(*leads)
    except ValueError:
        raise ValueError(
            f"{op}: the leading axes of query {q.shape}, key {k.shape} and value {v.shape} do not broadcast"
            + ("" if grouped else "; for fewer heads of key and value use enable_gqa=True")
        ) from None
    return (*lead, q.shape[-2], k.shape[-2])


def _read_mask(op: str, mask: Any, causal: bool, q: Tensor, shape: tuple[int, ...]) -> tuple[Any, Any]:
    """The mask as (booleans or None, numbers to add or None)."""
    if causal and mask is not None:
        raise ValueError(f"{op}: attn_mask and is_causal exclude each other; join them in one mask")
    if causal:
        xp = backend.xp
        return xp.arange(shape[-2])[:, None] >= xp.arange(shape[-1]), None
    if mask is None:
        return None, None
    mask = as_tensor(mask)
    if not stretches(mask.shape, shape):
        raise ValueError(f"{op}: attn_mask {mask.shape} does not stretch to the weights {shape}")
    if mask.ndim < 2:
        mask = mask.reshape((1,) * (2 - mask.ndim) + mask.shape)
    if mask.dtype == bool:
        return constant(op, "attn_mask", mask).copy(), None
    if mask.dtype != q.dtype:
        raise TypeError(
            f"{op}: attn_mask must be bool or {q.dtype} as the query, got {mask.dtype}; for 0 and 1 use "
            ".astype(bool), True where a query may attend"
        )
    return None, mask


def _read_dropout(op: str, p: Any, mask: Any, shape: tuple[int, ...], dtype: Any) -> Any:
    """What the weights are multiplied by, or None."""
    p = probability(op, "dropout_p", p)
    if mask is None:
        return _draw(shape, p, dtype) if p else None
    mask = constant(op, "dropout_mask", mask).astype(dtype)
    if not stretches(mask.shape, shape):
        raise ValueError(f"{op}: dropout_mask {mask.shape} does not stretch to the weights {shape}")
    return mask.reshape((1,) * (2 - mask.ndim) + mask.shape)


def _grouped(x: Any, serving: int) -> Any:
    """Heads (..., H G, T, d) as (..., H, G, T, d): H = `serving` heads (..., H, 1, U, d) serve a group each.

    One head for all becomes (1, 1), no axis of heads stays none.
    """
    if x is None or x.ndim < 3:
        return x
    heads = x.shape[-3]
    split = (1, 1) if heads == 1 else (serving, heads // max(1, serving))
    return x.reshape(*x.shape[:-3], *split, *x.shape[-2:])


def sinusoidal_positions(length: int, d: int, base: float = 10000.0, dtype: Any = np.float32) -> Tensor:
    """(length, d): at place t, sin(t / base^(2i/d)) in column 2i and the cosine in column 2i + 1.

    An odd d ends with a sine. k places further on, each pair is rotated by the same angle wherever t is.
    Vaswani et al. 2017.
    """
    op = "sinusoidal_positions"
    for name, value in (("length", length), ("d", d)):
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 0:
            raise ValueError(f"{op}: {name} must be a length, got {value!r}")
    if not number(op, "base", base) > 0:
        raise ValueError(f"{op}: base must be positive, got {base}")
    if backend.check_dtype(dtype).kind != "f":
        raise TypeError(f"{op}: dtype must be real numbers, got {dtype}")
    pairs = np.arange((d + 1) // 2)
    angles = np.arange(length)[:, None] * float(base) ** (-2 * pairs / max(1, d))  # in float64, on the host
    table = np.stack([np.sin(angles), np.cos(angles)], axis=-1).reshape(length, 2 * pairs.size)[:, :d]
    return Tensor._wrap(backend.asarray(np.ascontiguousarray(table), dtype))

"""Rows of ops/attention.py, ops/alignment.py and ops/sequence.py: loops over queries and keys."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ... import backend
from ...ops import alignment, sequence
from ...ops import attention as ops
from .case import Case, F, T, build, case, real, softmax_of, total

KEEP = np.array([[True, False, True], [False, False, False]])  # the second query sees no key
DROP = np.array([[2.0, 0.0, 2.0], [0.0, 2.0, 2.0]])
LENGTHS = np.array([2, 0, 3])


def _attend(
    q: np.ndarray, k: np.ndarray, v: np.ndarray, bias: Any = 0.0, keep: Any = True, drop: Any = 1.0,
    scale: float | None = None,
) -> np.ndarray:  # fmt: skip
    """Query by query: the scores of the keys it may see, their softmax, the mean of the values."""
    scale = 1 / math.sqrt(q.shape[-1]) if scale is None else scale
    lead = np.broadcast_shapes(q.shape[:-2], k.shape[:-2], v.shape[:-2])
    shape = (*lead, q.shape[-2], k.shape[-2])
    q, k, v = (np.broadcast_to(x, (*lead, *x.shape[-2:])) for x in (q, k, v))
    bias, keep, drop = (np.broadcast_to(x, shape) for x in (bias, keep, drop))

    def element(*at: int) -> float:
        *n, i, column = at
        n = tuple(n)
        seen = [j for j in range(shape[-1]) if keep[(*n, i, j)]]
        scores = [scale * total(list(q[(*n, i)] * k[(*n, j)])) + bias[(*n, i, j)] for j in seen]
        weights = softmax_of(scores)
        return total([w * drop[(*n, i, j)] * v[(*n, j, column)]
                      for w, j in zip(weights, seen, strict=True)])  # fmt: skip

    return build((*lead, q.shape[-2], v.shape[-1]), element)


def _row(name: str, *shapes: tuple[int, ...], plain: Any = None, proof: bool = True,
         **arguments: Any) -> Case:  # fmt: skip
    """`arguments` of the public function and of torch's; `plain` those of the definition."""
    return case(
        f"attention: {name}", ops.Attention,
        lambda *xs: ops.scaled_dot_product_attention(*xs, **arguments), real(*shapes),
        lambda *xs: _attend(*xs, **(plain or {})),
        lambda *xs: F.scaled_dot_product_attention(*xs, **_tensors(arguments)), proof,
    )  # fmt: skip


def _tensors(arguments: dict[str, Any]) -> dict[str, Any]:
    return {k: T.tensor(v) if isinstance(v, np.ndarray) else v for k, v in arguments.items()}


def _torch_dropped(q: Any, k: Any, v: Any) -> Any:
    """torch draws its mask; these are its lines with ours in its place."""
    p = T.softmax(q @ k.mT / math.sqrt(q.shape[-1]), -1)
    return (p * T.tensor(DROP)) @ v


def _dropped() -> Case:
    return case(
        "attention: dropout", ops.Attention,
        lambda *xs: ops.scaled_dot_product_attention(*xs, dropout_mask=DROP), real((2, 2), (3, 2), (3, 2)),
        lambda *xs: _attend(*xs, drop=DROP), _torch_dropped,
    )  # fmt: skip


def _grouped(q: np.ndarray, k: np.ndarray, v: np.ndarray) -> np.ndarray:
    times = q.shape[-3] // k.shape[-3]
    return _attend(q, *(np.repeat(x, times, axis=-3) for x in (k, v)))


def _additive(s: np.ndarray, h: np.ndarray, w1: np.ndarray, w2: np.ndarray, v: np.ndarray) -> np.ndarray:
    lead = np.broadcast_shapes(s.shape[:-2], h.shape[:-2])
    s, h = (np.broadcast_to(x, (*lead, *x.shape[-2:])) for x in (s, h))

    def element(*at: int) -> float:
        *n, i, j = at
        return total([
            v[c] * math.tanh(total([*(w1[c] * h[(*n, j)]), *(w2[c] * s[(*n, i)])])) for c in range(len(v))
        ])  # fmt: skip

    return build((*lead, s.shape[-2], h.shape[-2]), element)


def _bilinear(s: np.ndarray, h: np.ndarray, w: np.ndarray) -> np.ndarray:
    lead = np.broadcast_shapes(s.shape[:-2], h.shape[:-2])
    s, h = (np.broadcast_to(x, (*lead, *x.shape[-2:])) for x in (s, h))
    return build(
        (*lead, s.shape[-2], h.shape[-2]),
        lambda *at: total([a * w[i, j] * b for i, a in enumerate(s[at[:-1]])
                           for j, b in enumerate(h[(*at[:-2], at[-1])])]),
    )  # fmt: skip


def _masked_softmax(x: np.ndarray, keep: np.ndarray = KEEP) -> np.ndarray:
    def element(i: int, j: int) -> float:
        seen = [n for n in range(x.shape[1]) if keep[i, n]]
        return softmax_of([x[i, n] for n in seen])[seen.index(j)] if j in seen else 0.0

    return build(x.shape, element)


def _masked_mean(x: np.ndarray) -> np.ndarray:
    """Over time, the first axis."""
    return build(
        x.shape[1:], lambda n, *c: total([x[(t, n, *c)] for t in range(LENGTHS[n])]) / max(1, LENGTHS[n])
    )


def _torch_masked_mean(x: Any) -> Any:
    keep = T.arange(x.shape[0])[:, None] < T.tensor(LENGTHS)
    return (x * keep[..., None]).sum(0) / T.tensor(LENGTHS).clamp(min=1)[:, None]


SHAPES = (2, 2), (3, 2), (3, 2)
TRIANGLE = np.tril(np.ones((2, 3), bool))

CASES = (
    _row("two queries, three keys", *SHAPES),
    _row("scale", (2, 2), (2, 2), (2, 1), scale=0.25, plain={"scale": 0.25}),
    _row("mask, and a query that sees no key", *SHAPES, attn_mask=KEEP, plain={"keep": KEEP}),
    _row("causal, more keys than queries", *SHAPES, is_causal=True, plain={"keep": TRIANGLE}),
    _row("causal, more queries than keys", (3, 2), (2, 2), (2, 1), is_causal=True,
         plain={"keep": np.tril(np.ones((3, 2), bool))}),
    _row("numbers as mask, with a gradient", (1, 2, 2), (2, 2), (2, 1), (2, 2)),
    _row("numbers as mask, one for all queries", (2, 1), (3, 1), (3, 2), (1, 3)),
    _dropped(),
    _row("heads broadcast", (2, 1, 1, 2), (2, 2, 2), (1, 2, 1), proof=False),
    case("attention: grouped query heads", ops.Attention,
         lambda *xs: ops.scaled_dot_product_attention(*xs, enable_gqa=True),
         real((4, 1, 1), (2, 2, 1), (2, 2, 1)), _grouped,
         lambda *xs: F.scaled_dot_product_attention(*xs, enable_gqa=True)),
    case("attention: no weights kept", ops.Attention,
         lambda *xs: ops.Attention.apply(
             *xs, None, keep=backend.asarray(TRIANGLE), drop=None, scale=0.5, whole=False),
         real((2, 2), (3, 2), (3, 1)), lambda *xs: _attend(*xs, keep=TRIANGLE, scale=0.5)),
    case("attention: one array as query, key and value", ops.Attention,
         lambda x: ops.scaled_dot_product_attention(x, x, x), real((3, 2)), lambda x: _attend(x, x, x),
         lambda x: F.scaled_dot_product_attention(x, x, x)),
    case("dot score", alignment.DotScore, alignment.dot_score, real((2, 2), (3, 2)),
         lambda s, h: _bilinear(s, h, np.eye(2)), lambda s, h: s @ h.mT),
    case("general score", alignment.GeneralScore, alignment.general_score, real((2, 2), (3, 3), (2, 3)),
         _bilinear, lambda s, h, w: s @ w @ h.mT),
    case("general score: broadcast", alignment.GeneralScore, alignment.general_score,
         real((2, 1, 2, 1), (3, 1, 2), (1, 2)), _bilinear, lambda s, h, w: s @ w @ h.mT),
    case("additive score", alignment.AdditiveScore, alignment.additive_score,
         real((2, 1), (2, 2), (2, 2), (2, 1), (2,)), _additive,
         lambda s, h, w1, w2, v: T.tanh((h @ w1.T)[None] + (s @ w2.T)[:, None]) @ v),
    case("additive score: broadcast", alignment.AdditiveScore, alignment.additive_score,
         real((2, 1, 2, 1), (2, 1, 2), (2, 2), (2, 1), (2,)), _additive,
         lambda s, h, w1, w2, v: T.tanh((h @ w1.T)[..., None, :, :] + (s @ w2.T)[..., None, :]) @ v,
         proof=False),
    case("masked softmax", sequence.MaskedSoftmax, lambda x: sequence.masked_softmax(x, KEEP), real((2, 3)),
         _masked_softmax,
         lambda x: T.nan_to_num(T.softmax(x.masked_fill(~T.tensor(KEEP), -math.inf), -1))),
    case("masked softmax: down the columns", sequence.MaskedSoftmax,
         lambda x: sequence.masked_softmax(x, KEEP.T, axis=0), real((3, 2)),
         lambda x: _masked_softmax(x.T).T),
    case("masked mean", sequence.MaskedMean, lambda x: sequence.masked_mean(x, lengths=LENGTHS),
         real((3, 3, 2)), _masked_mean, _torch_masked_mean),
)  # fmt: skip

"""Rows of ops/embedding.py, and those of the loss over padded sequences that ids lead to."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ... import backend
from ...autograd import Tensor
from ...ops import embedding as ops
from ...ops import loss, piecewise
from .case import Case, F, T, build, case, real, softmax_of

V, D = 4, 2
IDS = np.array([[1, 0, 1], [3, 1, 0]])  # 1 three times, 2 never
PAD = 1
PADDING = np.arange(V)[:, None] == PAD
FIXED = np.array([[0.5, -0.25]])


def _picked(weight: np.ndarray, ids: Any) -> np.ndarray:
    ids = np.asarray(ids)
    return build((*ids.shape, weight.shape[1]), lambda *i: weight[ids[i[:-1]], i[-1]])


def _added(g: np.ndarray, padding_idx: int | None = None) -> np.ndarray:
    """Each row of g to its id's, one at a time."""
    y = np.zeros((V, D))
    for at in np.ndindex(IDS.shape):
        if IDS[at] != padding_idx:
            y[IDS[at]] += g[at]
    return y


def _add_rows(g: Tensor, padding_idx: int | None) -> Tensor:
    return ops.add_rows(g, backend.asarray(IDS), V, padding_idx)


def _of(name: str, ids: Any) -> Case:
    return case(f"embedding: {name}", ops.Embedding, lambda w: ops.embedding(ids, w), real((V, D)),
                lambda w: _picked(w, ids), lambda w: F.embedding(T.tensor(ids), w))  # fmt: skip


def _with_padding(w: Tensor) -> Tensor:
    return piecewise.where(Tensor(PADDING), Tensor(FIXED, dtype=w.dtype), w)


def _padded(padding_idx: int) -> Case:
    """The padding's row is fixed beforehand: a constant has no derivative, neither here nor in numbers."""
    return case(
        f"embedding: padding_idx {padding_idx}", (ops.Embedding, piecewise.Where),
        lambda w: ops.embedding(IDS, _with_padding(w), padding_idx),
        real((V, D)), lambda w: _picked(np.where(PADDING, FIXED, w), IDS),
        lambda w: F.embedding(T.tensor(IDS), T.where(T.tensor(PADDING), T.tensor(FIXED), w), padding_idx),
    )  # fmt: skip


# ---- label smoothing with a padding class, Vaswani et al. 2017 as its annotated code has it ----------

TOKENS = np.array([[2, 0, PAD], [3, PAD, 0]])  # of logits (2, 4, 3)
EPSILON = 0.25


def _smoothed(x: np.ndarray, weight: Any, reduction: str) -> np.ndarray:
    """ε/(C − 2) to all but the token and the padding, 1 − ε to the token, nothing at padding."""
    losses, divisor = np.zeros(TOKENS.shape), 0.0
    w = [1.0] * V if weight is None else weight
    for n, t in np.ndindex(TOKENS.shape):
        token = int(TOKENS[n, t])
        if token == PAD:
            continue
        divisor += w[token]
        for c, p in enumerate(softmax_of([float(x[n, c, t]) for c in range(V)])):
            q = 1 - EPSILON if c == token else 0.0 if c == PAD else EPSILON / (V - 2)
            losses[n, t] -= w[c] * q * math.log(p)
    total = math.fsum(losses.flat)
    return losses if reduction == "none" else np.asarray(total if reduction == "sum" else total / divisor)


def _transformer(name: str, weight: Any = None, reduction: str = "mean") -> Case:
    return case(
        f"cross_entropy: smoothing without the padding class, {name}", loss.CrossEntropyOfClasses,
        lambda x: loss.cross_entropy(x, TOKENS, weight, PAD, reduction, EPSILON, "transformer"),
        real((2, V, 3)), lambda x: _smoothed(x, weight, reduction),
    )  # fmt: skip


def _padded_loss(reduction: str, smoothing: float) -> Case:
    """Padded sequences as torch has them: tokens of `ignore_index` count nowhere."""

    def at(n: int, t: int, x: np.ndarray) -> float:
        costs = [-math.log(p) for p in softmax_of([float(x[n, c, t]) for c in range(V)])]
        kept = (1 - smoothing) * costs[TOKENS[n, t]] + smoothing * math.fsum(costs) / V
        return 0.0 if TOKENS[n, t] == PAD else kept

    def plain(x: np.ndarray) -> np.ndarray:
        losses = build(TOKENS.shape, lambda n, t: at(n, t, x))
        if reduction == "none":
            return losses
        return np.asarray(losses.sum() / (np.count_nonzero(TOKENS != PAD) if reduction == "mean" else 1))

    options = dict(ignore_index=PAD, reduction=reduction, label_smoothing=smoothing)
    return case(f"cross_entropy: padded sequences, smoothing {smoothing}, {reduction}",
                loss.CrossEntropyOfClasses, lambda x: loss.cross_entropy(x, TOKENS, **options),
                real((2, V, 3)), plain,
                lambda x: F.cross_entropy(x, T.tensor(TOKENS), **options))  # fmt: skip


CASES = (
    _of("repeated ids", IDS), _of("one id", 2), _of("ids in one axis", [3, 3]),
    _of("no ids", np.zeros((0, 2), np.int64)),
    _padded(PAD), _padded(PAD - V),
    case("add_rows", ops.AddRows, lambda g: _add_rows(g, None), real((2, 3, D)), _added,
         lambda g: T.zeros(V, D, dtype=g.dtype).index_add(0, T.tensor(IDS.ravel()), g.reshape(-1, D))),
    case("add_rows: padding_idx", ops.AddRows, lambda g: _add_rows(g, PAD), real((2, 3, D)),
         lambda g: _added(g, PAD)),
    *(_padded_loss(reduction, smoothing) for reduction in ("mean", "sum", "none")
      for smoothing in (0.0, EPSILON)),
    *(_transformer(reduction, reduction=reduction) for reduction in ("mean", "sum", "none")),
    _transformer("weight", weight=np.array([0.5, 2.0, 1.25, 0.75])),
)  # fmt: skip

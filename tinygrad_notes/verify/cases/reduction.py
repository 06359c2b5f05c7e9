"""Rows of ops/reduction.py."""

from __future__ import annotations

import math

import numpy as np

from ...ops import arithmetic
from ...ops import reduction as ops
from .case import Case, case, each, fold, positive, real, total

S = (2, 3, 2)
AXES = ((None, False), (0, False), (-1, True), ((0, 2), False), ((0, -1), True), (None, True))


def _mean(v: list[float]) -> float:
    return math.fsum(v) / len(v)


def _variance(v: list[float], ddof: int = 0) -> float:
    return math.fsum((u - _mean(v)) ** 2 for u in v) / (len(v) - ddof)


def _log_sum_exp(v: list[float]) -> float:
    return math.log(math.fsum(map(math.exp, v)))


def _rows(name, operations, run, of, twin, domain=real, proof=True) -> tuple[Case, ...]:
    """One row per choice of axis and keepdims."""
    return tuple(
        case(
            f"{name}: axis {axis}, keepdims {keep}", operations,
            lambda x, a=axis, k=keep: run(x, axis=a, keepdims=k), domain(S),
            lambda x, a=axis, k=keep: fold(of, x, a, k),
            lambda x, a=axis, k=keep: twin(x, tuple(range(x.ndim)) if a is None else a, k), proof,
        )
        for axis, keep in AXES
    )  # fmt: skip


CASES = (
    *_rows("sum", ops.Sum, ops.sum, total, lambda x, a, k: x.sum(a, keepdim=k)),
    *_rows("mean", ops.Mean, ops.mean, _mean, lambda x, a, k: x.mean(a, keepdim=k)),
    *_rows("var", ops.Var, ops.var, _variance,
           lambda x, a, k: x.var(a, correction=0, keepdim=k)),
    case("var: ddof 1", ops.Var, lambda x: ops.var(x, axis=1, ddof=1), real(S),
         lambda x: fold(lambda v: _variance(v, 1), x, 1), lambda x: x.var(1)),
    *_rows("std", ops.Std, ops.std, lambda v: math.sqrt(_variance(v)),
           lambda x, a, k: x.std(a, correction=0, keepdim=k)),
    case("std: ddof 1", ops.Std, lambda x: ops.std(x, axis=-2, ddof=1), real(S),
         lambda x: fold(lambda v: math.sqrt(_variance(v, 1)), x, 1), lambda x: x.std(1)),
    *_rows("max", ops.Extremum, ops.max, max, lambda x, a, k: x.amax(a, keepdim=k)),
    *_rows("min", ops.Extremum, ops.min, min, lambda x, a, k: x.amin(a, keepdim=k)),
    *_rows("logsumexp", ops.LogSumExp, ops.logsumexp, _log_sum_exp,
           lambda x, a, k: x.logsumexp(a, keepdim=k)),
    case("argmax as a constant", arithmetic.Astype,
         lambda x: x * arithmetic.astype(ops.argmax(x, axis=1, keepdims=True), x.dtype), real((2, 3)),
         lambda x: each(lambda u, i: u * i, x, fold(lambda v: v.index(max(v)), x, 1, True)),
         lambda x: x * x.argmax(1, keepdim=True)),
    case("argmin as a constant", arithmetic.Astype,
         lambda x: x * arithmetic.astype(ops.argmin(x), x.dtype), real((2, 3)),
         lambda x: each(lambda u, i: u * i, x, fold(lambda v: v.index(min(v)), x)),
         lambda x: x * x.argmin()),
    case("broadcast_to", ops.BroadcastTo, lambda x: ops.broadcast_to(x, (4, 2, 3)), real((2, 1)),
         lambda x: np.array([[[float(x[i, 0])] * 3 for i in range(2)]] * 4),
         lambda x: x.expand(4, 2, 3)),
    case("broadcast_to: from 0-d", ops.BroadcastTo, lambda x: ops.broadcast_to(x, (2, 2)), real(()),
         lambda x: np.array([[float(x)] * 2] * 2), lambda x: x.expand(2, 2)),
    case("geometric mean, a composite", (ops.Mean, arithmetic.Exp, arithmetic.Log),
         lambda x: arithmetic.exp(ops.mean(arithmetic.log(x), axis=0)), positive((3, 2)),
         lambda x: fold(lambda v: math.prod(v) ** (1 / len(v)), x, 0),
         lambda x: x.log().mean(0).exp()),
)  # fmt: skip

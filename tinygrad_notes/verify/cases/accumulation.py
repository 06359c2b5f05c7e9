"""Rows of ops/accumulation.py."""

from __future__ import annotations

import itertools
import math

import numpy as np

from ...ops import accumulation as ops
from ...ops import piecewise, reduction
from .case import Case, Lazy, build, case, fold, real, total
from .reduction import _rows

S = (2, 3, 2)
LINALG = Lazy("torch.linalg")


def _torch_prod(x, axis, keepdims):
    """torch takes one axis at a time."""
    for a in sorted((axis,) if isinstance(axis, int) else axis, key=lambda a: a % x.ndim, reverse=True):
        x = x.prod(a, keepdim=keepdims)
    return x


def _running(axis: int) -> Case:
    def plain(x: np.ndarray) -> np.ndarray:
        lines = np.moveaxis(x, axis, -1)
        y = build(lines.shape, lambda *i: total(list(lines[i[:-1]][: i[-1] + 1])))
        return np.moveaxis(y, -1, axis)

    return case(f"cumsum: axis {axis}", ops.CumSum, lambda x: ops.cumsum(x, axis), real(S), plain,
                lambda x: x.cumsum(axis))  # fmt: skip


def _length(p: float) -> tuple[Case, ...]:
    """The p-norm of both signs: |x| and its length."""
    return tuple(
        case(
            f"norm: p {p}, axis {axis}, keepdims {keep}", ops.Norm if p == 2 else (piecewise.Abs, ops.Norm),
            lambda x, a=axis, k=keep: ops.norm(x, p, a, k), real(S),
            lambda x, a=axis, k=keep: fold(lambda v: math.fsum(abs(u) ** p for u in v) ** (1 / p), x, a, k),
            lambda x, a=axis, k=keep: LINALG.vector_norm(x, p, a, k),
        )
        for axis, keep in ((None, False), (1, True), ((0, -1), False))
    )  # fmt: skip


CASES = (
    *_rows("prod", ops.Prod, ops.prod, math.prod, _torch_prod),
    case("prod: a row of five", ops.Prod, lambda x: ops.prod(x, axis=1), real((2, 5)),
         lambda x: fold(math.prod, x, 1), lambda x: x.prod(1)),
    case("prod: of one number", ops.Prod, lambda x: ops.prod(x), real(()), lambda x: x, lambda x: x.prod()),
    *(_running(axis) for axis in (0, 1, -1)),
    *itertools.chain.from_iterable(_length(p) for p in (1, 2, 3, 1.5)),
    case("norm: p inf", (piecewise.Abs, reduction.Extremum), lambda x: ops.norm(x, math.inf, 1), real(S),
         lambda x: fold(lambda v: max(map(abs, v)), x, 1), lambda x: LINALG.vector_norm(x, math.inf, 1)),
)  # fmt: skip

"""Rows of ops/selection.py: places, found by comparing, and what is picked or kept there."""

from __future__ import annotations

import numpy as np

from ...ops import selection as ops
from ...ops.piecewise import Where
from ...ops.shape import GetItem
from .case import T, build, case, real

S = (2, 3, 2)
MASK = np.array([[True, False, True], [False, False, True]])
PLACES = np.array([[2, 0, 2, -1], [0, 1, 1, 1]])


def _sorted(x: np.ndarray, axis: int, descending: bool = False, k: int | None = None) -> np.ndarray:
    """Line by line, by Python's sort."""
    lines = np.moveaxis(x, axis, -1)
    k = lines.shape[-1] if k is None else k
    ordered = {i: sorted(map(float, lines[i]), reverse=descending) for i in np.ndindex(lines.shape[:-1])}
    return np.moveaxis(build((*lines.shape[:-1], k), lambda *i: ordered[i[:-1]][i[-1]]), -1, axis)


CASES = (
    case("sort", GetItem, ops.sort, real(S), lambda x: _sorted(x, -1), lambda x: x.sort(-1).values),
    case("sort: axis 1, descending", GetItem, lambda x: ops.sort(x, 1, descending=True), real(S),
         lambda x: _sorted(x, 1, True), lambda x: x.sort(1, descending=True).values),
    case("argsort, and what it picks", GetItem,
         lambda x: ops.take_along_axis(x, ops.argsort(x, axis=0), 0), real((3, 2)),
         lambda x: _sorted(x, 0), lambda x: x.take_along_dim(x.argsort(0), 0)),
    case("topk", GetItem, lambda x: ops.topk(x, 2)[0], real((2, 4)), lambda x: _sorted(x, 1, True, 2),
         lambda x: x.topk(2).values),
    case("topk: the smallest along axis 1", GetItem, lambda x: ops.topk(x, 2, 1, largest=False)[0], real(S),
         lambda x: _sorted(x, 1, False, 2), lambda x: x.topk(2, 1, largest=False).values),
    case("take_along_axis: repeated places", GetItem, lambda x: ops.take_along_axis(x, PLACES, 1),
         real((2, 3)), lambda x: build((2, 4), lambda i, j: x[i, PLACES[i, j]]),
         lambda x: x.take_along_dim(T.tensor(PLACES) % 3, 1)),
    case("take_along_axis: both stretched", GetItem,
         lambda x: ops.take_along_axis(x, PLACES[:, None, :2], axis=-1), real((1, 2, 3)),
         lambda x: build((2, 2, 2), lambda i, j, k: x[0, j, PLACES[i, k]]),
         lambda x: x.take_along_dim(T.tensor(PLACES[:, None, :2]) % 3, -1)),
    case("masked_fill", Where, lambda x: ops.masked_fill(x, MASK, -1.5), real((2, 3)),
         lambda x: build((2, 3), lambda *i: -1.5 if MASK[i] else x[i]),
         lambda x: x.masked_fill(T.tensor(MASK), -1.5)),
    case("masked_fill: a value with a gradient", Where, lambda x, v: ops.masked_fill(x, MASK, v),
         real((2, 2, 3), ()), lambda x, v: build((2, 2, 3), lambda *i: v if MASK[i[1:]] else x[i]),
         lambda x, v: x.masked_fill(T.tensor(MASK), v)),
    *(case(f"{name}: k {k}", Where, lambda x, f=name, k=k: getattr(ops, f)(x, k), real((2, 2, 3)),
           lambda x, f=name, k=k: build(x.shape, lambda n, i, j: x[n, i, j]
                                        if (j - i <= k if f == "tril" else j - i >= k) else 0),
           lambda x, f=name, k=k: getattr(x, f)(k))
      for name in ("tril", "triu") for k in (0, 1, -1)),
)  # fmt: skip

"""Rows of ops/linear.py."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np

from ...ops import linear as ops
from ...ops import reduction, shape
from .case import Case, F, T, build, case, real, total


def _product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """NumPy's rule for @, element by element."""
    row, column = a.ndim == 1, b.ndim == 1
    a = a[None] if row else a
    b = b[:, None] if column else b
    lead = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    a, b = np.broadcast_to(a, lead + a.shape[-2:]), np.broadcast_to(b, lead + b.shape[-2:])
    y = build(
        (*lead, a.shape[-2], b.shape[-1]),
        lambda *i: total([a[(*i[:-1], k)] * b[(*i[:-2], k, i[-1])] for k in range(a.shape[-1])]),
    )
    y = y[..., 0, :] if row else y
    return y[..., 0] if column else y


def _einsum(letters: str, *xs: np.ndarray) -> np.ndarray:
    """The definition: a loop over every letter. Axes of length 1 stretch."""
    *parts, out = letters.replace("->", ",").split(",")
    sizes: dict[str, int] = {}
    for part, x in zip(parts, xs, strict=True):
        sizes |= {c: max(n, sizes.get(c, 1)) for c, n in zip(part, x.shape, strict=True)}
    y = np.zeros([sizes[c] for c in out])
    for values in itertools.product(*(range(n) for n in sizes.values())):
        at = dict(zip(sizes, values, strict=True))
        y[tuple(at[c] for c in out)] += math.prod(
            x[tuple(at[c] % n for c, n in zip(part, x.shape, strict=True))]
            for part, x in zip(parts, xs, strict=True)
        )
    return y


def _matmul(name: str, *shapes: tuple[int, ...]) -> Case:
    return case(f"matmul: {name}", ops.MatMul, ops.matmul, real(*shapes), _product, lambda a, b: a @ b)


def _contraction(
    letters: str, *shapes: tuple[int, ...], runs: tuple[Any, ...] = (ops.Einsum,), full: str | None = None
) -> Case:
    """`full`: the letters without abbreviation."""
    return case(
        f"einsum: {letters}", runs, lambda *xs: ops.einsum(letters, *xs), real(*shapes),
        lambda *xs: _einsum(full or letters, *xs), lambda *xs: T.einsum(letters, *xs),
    )  # fmt: skip


def _affine(x: np.ndarray, w: np.ndarray, b: Any = None) -> np.ndarray:
    y = _product(x, w.T)
    return y if b is None else build(y.shape, lambda *i: y[i] + b[i[-1]])


CASES = (
    _matmul("matrices", (2, 3), (3, 2)),
    _matmul("batched", (2, 2, 3), (2, 3, 1)),
    _matmul("broadcast on the left", (2, 3), (2, 3, 2)),
    _matmul("broadcast on the right", (2, 2, 3), (3, 2)),
    _matmul("both broadcast", (2, 1, 1, 3), (2, 3, 2)),
    _matmul("vector by matrix", (3,), (3, 2)),
    _matmul("matrix by vector", (2, 3), (3,)),
    _matmul("vectors", (3,), (3,)),
    _matmul("batch by vector", (2, 2, 3), (3,)),
    _matmul("vector by batch", (3,), (2, 3, 2)),
    case("matmul: @ with itself", ops.MatMul, lambda x: x @ x.T, real((2, 3)),
         lambda x: _product(x, x.T), lambda x: x @ x.T),
    case("linear", ops.Linear, ops.linear, real((3, 2), (2, 2), (2,)), _affine,
         F.later("linear")),
    case("linear: no bias", ops.Linear, ops.linear, real((3, 2), (4, 2)), _affine,
         F.later("linear")),
    case("linear: leading axes", ops.Linear, ops.linear, real((2, 2, 3), (2, 3), (2,)), _affine,
         F.later("linear")),
    case("linear: a vector", ops.Linear, ops.linear, real((3,), (2, 3), (2,)), _affine,
         F.later("linear")),
    _contraction("ij,jk->ik", (2, 3), (3, 2)),
    _contraction("bij,bkj->bik", (2, 2, 3), (2, 1, 3)),
    _contraction("i,j->ij", (2,), (3,)),
    _contraction("ij,ij->", (2, 3), (2, 3)),
    _contraction("ijk,j->ki", (2, 3, 2), (3,)),
    _contraction("ij,kl->ki", (2, 3), (2, 2)),
    _contraction("i,ij->i", (2,), (2, 3)),
    _contraction("bhid,bhjd->bhij", (1, 2, 2, 2), (1, 2, 2, 2)),
    _contraction(",ij->ji", (), (2, 3)),
    _contraction("ij->ji", (2, 3), runs=(shape.Transpose,)),
    _contraction("ijk->j", (2, 3, 2), runs=(reduction.Sum,)),
    _contraction("ii", (3, 3), runs=(shape.Transpose, shape.GetItem, reduction.Sum), full="ii->"),
    _contraction("jiij->ij", (2, 3, 3, 2), runs=(shape.Transpose, shape.GetItem)),
    _contraction("kj,ji", (2, 3), (3, 2), full="kj,ji->ik"),
    _contraction("...ij,...jk->...ik", (2, 1, 1, 3), (2, 3, 1), runs=(ops.Einsum, shape.Reshape),
                 full="abij,bjk->abik"),
    _contraction("i...,i...", (2, 3), (2, 1), runs=(ops.Einsum, shape.Reshape), full="ia,ia->a"),
    _contraction("bi,ij,bj->b", (2, 2), (2, 3), (2, 3)),
    _contraction("ij,jk,kl,l->li", (2, 2), (2, 1), (1, 2), (2,)),
    _contraction("i,ii,i", (2,), (2, 2), (2,), runs=(ops.Einsum, shape.Transpose, shape.GetItem),
                 full="i,ii,i->"),
)  # fmt: skip

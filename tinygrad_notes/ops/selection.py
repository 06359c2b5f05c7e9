"""Order and selection: functions that choose which elements of x stand where. Nothing new is to be derived.

The places are integers, which have no gradient. With them fixed y is x[places], a linear map, whose adjoint
brings each gradient back to its place (`GetItem`, `ScatterAdd`); what is masked is a choice (`Where`).
A sort is a permutation, so its gradient is permuted back. Equal numbers keep their order, so the gradient of
a tie is the same in every run and on every backend.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import backend
from ..autograd import Tensor
from .arguments import as_tensor, check_held, integer, one_axis, raw_array, stretches
from .piecewise import where
from .shape import getitem


def argsort(x: Any, axis: int = -1, descending: bool = False) -> Tensor:
    """The places along `axis` that put x in order, equal numbers in theirs; integers, no gradient.

    NaN counts as the largest number, as in torch and NumPy.
    """
    array, xp = raw_array(x), backend.xp
    axis = one_axis(axis, array.shape, "argsort")
    if not descending:
        return Tensor._wrap(xp.argsort(array, axis=axis, kind="stable"))
    backwards = xp.argsort(xp.flip(array, axis=axis), axis=axis, kind="stable")
    return Tensor._wrap(array.shape[axis] - 1 - xp.flip(backwards, axis=axis))


def sort(x: Any, axis: int = -1, descending: bool = False) -> Tensor:
    """x in order along `axis`: the values; `argsort` gives their places."""
    x = as_tensor(x)
    axis = one_axis(axis, x.shape, "sort")
    return take_along_axis(x, argsort(x, axis, descending), axis)


def topk(x: Any, k: int, axis: int = -1, largest: bool = True) -> tuple[Tensor, Tensor]:
    """The `k` largest (or smallest) numbers along `axis`, in order, and their places; of equals the first.

    Raises ValueError unless 0 ≤ k ≤ the length of the axis.
    """
    x, k = as_tensor(x), integer("topk", "k", k)
    axis = one_axis(axis, x.shape, "topk")
    if not 0 <= k <= x.shape[axis]:
        raise ValueError(f"topk: k = {k} of axis {axis} of shape {x.shape}; k must be in 0..{x.shape[axis]}")
    places = Tensor._wrap(argsort(x, axis, largest)._data[(slice(None),) * axis + (slice(k),)])
    return take_along_axis(x, places, axis), places


def take_along_axis(x: Any, indices: Any, axis: int) -> Tensor:
    """y[i, j, k] = x[i, indices[i, j, k], k] for axis 1; the other axes broadcast. Repeated places add up.

    Raises ValueError for indices that have another number of axes or do not broadcast, IndexError for those
    that are no integers.
    """
    x, indices = as_tensor(x), raw_array(indices)
    axis = one_axis(axis, x.shape, "take_along_axis")
    if indices.dtype.kind not in "iu":
        raise IndexError(f"take_along_axis: indices must be integers, got {indices.dtype}")
    others = tuple(1 if a == axis else n for a, n in enumerate(x.shape))
    if indices.ndim != x.ndim or not _agree(others, indices.shape):
        raise ValueError(
            f"take_along_axis: indices {indices.shape} must have as many axes as x {x.shape}, each of x's "
            f"length or 1 except axis {axis}"
        )
    grid = [
        backend.xp.arange(n).reshape((1,) * a + (n,) + (1,) * (x.ndim - a - 1)) for a, n in enumerate(x.shape)
    ]
    return getitem(x, (*grid[:axis], indices, *grid[axis + 1 :]))


def _agree(a: tuple[int, ...], b: tuple[int, ...]) -> bool:
    return all(n == m or 1 in (n, m) for n, m in zip(a, b, strict=True))


def masked_fill(x: Any, mask: Any, value: Any) -> Tensor:
    """x, but `value` (a number, or a Tensor of one) where the booleans `mask`, which stretch to x, are True.

    Raises TypeError for a mask that is not boolean, and for real numbers that integers would have to hold,
    OverflowError for an integer outside of their range.
    """
    x, keep = as_tensor(x), raw_array(mask)
    if keep.dtype.kind != "b":
        raise TypeError(f"masked_fill: mask must be boolean, got {keep.dtype}; compare first, as in x > 0")
    if not stretches(keep.shape, x.shape):
        raise ValueError(f"masked_fill: mask {keep.shape} must stretch to x {x.shape}")
    if isinstance(value, int | float):
        check_held("masked_fill", value, x.dtype)
        value = np.asarray(value, x.dtype)  # all of its digits
    value = as_tensor(value)
    if value.shape != ():
        raise ValueError(f"masked_fill: value must be one number, got {value.shape}; use tg.where")
    if value.dtype != x.dtype and x.dtype.kind != "f":
        check_held("masked_fill", value.item(), x.dtype)
    return where(mask, value.astype(x.dtype), x)


def tril(x: Any, k: int = 0) -> Tensor:
    """The lower triangle of the last two axes, zeros above diagonal `k`: 0 the main one, 1 that above it."""
    return _triangle("tril", x, k, True)


def triu(x: Any, k: int = 0) -> Tensor:
    """The upper triangle of the last two axes, zeros below diagonal `k`."""
    return _triangle("triu", x, k, False)


def _triangle(op: str, x: Any, k: int, lower: bool) -> Tensor:
    x, k = as_tensor(x), integer(op, "k", k)
    if x.ndim < 2:
        raise ValueError(f"{op}: needs a matrix, or several, (..., rows, columns); got {x.shape}")
    above = backend.xp.arange(x.shape[-1]) - backend.xp.arange(x.shape[-2])[:, None]  # column − row
    return where(above <= k if lower else above >= k, x, False)  # 0 in every dtype, of booleans too

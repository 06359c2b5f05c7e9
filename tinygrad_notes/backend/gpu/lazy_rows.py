"""One element of each row, ``x[xp.arange(n), labels]``, without a gather: a sum where the others are 0.

So what is picked from a chain needs no array of the whole chain, and the sum shares a kernel with others. Its
adjoint, `scatter_add` at such an index, is a comparison with the numbers of columns.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cupy

from .lazy import Lazy, elementwise, opaque, rebuilt, viewed, wrap
from .lazy_chains import Later
from .lazy_sums import sum_

_where, _equal = elementwise("where", cupy.where), elementwise("equal", cupy.equal)
_less, _add = elementwise("less", cupy.less), elementwise("add", cupy.add)


class Counting(Later):
    """0, 1, ..., n − 1."""

    __slots__ = ()


def arange(*args: Any, **options: Any) -> Any:
    """The numbers of a range; those of all rows are not made before they are needed."""
    if options or len(args) != 1 or type(args[0]) is not int:
        return opaque(cupy.arange)(*args, **options)

    def work(out: Any) -> Any:
        numbers = cupy.arange(args[0])
        if out is None:
            return numbers
        out[...] = numbers
        return out

    return Lazy(None, (max(args[0], 0),), cupy.dtype(int), Counting(work))


def item(x: Lazy, index: Any) -> Any:
    """x[index]."""
    if type(x.shape) is not tuple or not _one_of_each(index, x.shape):
        return x.part(index)
    n, shape = x.shape[0], x.shape
    chosen = _chosen(index[1], shape)

    def leaf(node: Lazy) -> Any:
        if node.shape == ():
            return node
        if node.shape == (n, 1):
            return node.reshape(n)
        whole = node if node.shape == shape else wrap(cupy.broadcast_to(node.array, shape))
        if node.dtype.kind != "f":
            return whole.part(index)
        return sum_(_where(chosen, whole, 0), axis=1, keepdims=True).reshape(n)

    return rebuilt(x, leaf)


def scatter_add(plain: Callable[..., Any]) -> Callable[..., Any]:
    """`plain`, but for one element of each row."""

    def add(g: Any, index: Any, shape: Any) -> Any:
        if g.shape != shape[:1] or not _one_of_each(index, tuple(shape)):
            return opaque(plain)(g, index, shape)
        return _where(_chosen(index[1], tuple(shape)), _column(g), 0)

    return add


def _one_of_each(index: Any, shape: tuple[int, ...]) -> bool:
    """Whether `index` is (all rows of an array (n, C) in turn, an integer for each)."""
    if type(index) is not tuple or len(index) != 2 or len(shape) != 2:
        return False
    rows, labels = index
    return (
        type(rows) is Lazy and type(rows.step) is Counting and rows.shape == shape[:1]
        and type(labels) is Lazy and labels.shape == shape[:1] and labels.dtype.kind in "iu"
    )  # fmt: skip


def _chosen(labels: Lazy, shape: tuple[int, ...]) -> Any:
    """(n, C): whether it is the column that the row's label names, from the end if it is below 0."""
    labels = _where(_less(labels, 0), _add(labels, shape[1]), labels)
    return _equal(wrap(cupy.arange(shape[1])), _column(labels))


def _column(x: Lazy) -> Lazy:
    return viewed(x, lambda array: array[:, None])

"""The plain kernels on arrays of any shape: rows by number, sums, functions that may be cut into pieces.

Pairs of adjoints: indexing/scatter_add, take_rows/add_rows.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from ..geometry import Shape

Array = Any


def scatter_add(np: Any, g: Array, index: Any, shape: Shape) -> Array:
    """out = zeros(shape); out[index] += g, where places that `index` repeats accumulate.

    The adjoint of indexing: ⟨x[index], g⟩ = ⟨x, scatter_add(g, index, x.shape)⟩.
    """
    out = np.zeros(shape, dtype=np.float32 if g.dtype == np.float16 else g.dtype)  # float16 counts to 2048
    np.add.at(out, index, g)
    return out.astype(g.dtype, copy=False)


def take_rows(np: Any, x: Array, ids: Array, padding_idx: int | None, row: Array | None) -> Array:
    """y[i] = x[ids[i]], but `row` (None: zeros) where ids[i] is padding_idx.   x (V, D), y (*ids, D)."""
    y = x[ids]
    if padding_idx is None:
        return y
    return np.where((ids == padding_idx)[..., None], 0 if row is None else row, y)


def add_rows(np: Any, g: Array, ids: Array, rows: int, padding_idx: int | None) -> Array:
    """out[v] = Σ g[i] over the i with ids[i] = v, but 0 for v = padding_idx.   g (*ids, D), out (rows, D).

    The adjoint of take_rows with a `row` of zeros.
    """
    out = scatter_add(np, g, ids, (rows, g.shape[-1]))
    if padding_idx is not None:
        out[padding_idx] = 0
    return out


def elementwise(np: Any, function: Callable[..., Array], *arrays: Array) -> Array:
    """function(*arrays), made of element-wise operations only; all broadcast to the shape of the first."""
    return function(*arrays)


def elementwise_sum(np: Any, function: Callable[..., Array], axes: Shape, *arrays: Array) -> Array:
    """Σ function(*arrays) over `axes`, which stay with length 1; `function` as in `elementwise`."""
    return sum(np, function(*arrays), axis=axes, keepdims=True)


def rowwise(np: Any, function: Callable[..., Array], *arrays: Any) -> Array:
    """function(*arrays), where row n of the result (N, ...) needs no other row of the arrays.

    Arrays of N rows are cut; what has one row, numbers and None are the same for all.
    """
    return function(*arrays)


def matrixwise(np: Any, function: Callable[..., Any], *arrays: Array | None) -> Any:
    """function(*arrays), made of operations on the last two axes only; the axes before them broadcast.

    Returns a tuple of arrays, where some may be None.
    """
    return function(*arrays)


def sum(np: Any, x: Array, axis: Any = None, keepdims: bool = False) -> Array:
    """Σ x over `axis`, real numbers added up in float64: each thread of a GPU adds thousands one by one."""
    if x.dtype.kind != "f":
        return np.sum(x, axis=axis, keepdims=keepdims)
    return np.sum(x, axis=axis, dtype=np.float64, keepdims=keepdims).astype(x.dtype)


def mean(np: Any, x: Array, axis: Any = None, keepdims: bool = False) -> Array:
    """(1/n) Σ x over `axis`, added up and divided in float64: neither Σ x nor n must fit x's own type."""
    if x.dtype.kind != "f":
        return np.mean(x, axis=axis, keepdims=keepdims)
    return np.mean(x, axis=axis, dtype=np.float64, keepdims=keepdims).astype(x.dtype)


def cumsum(np: Any, x: Array, axis: int) -> Array:
    """x₀, x₀ + x₁, ... along `axis`, real numbers added up in float64."""
    if x.dtype.kind != "f":
        return np.cumsum(x, axis=axis)
    return np.cumsum(x, axis=axis, dtype=np.float64).astype(x.dtype)


def einsum(np: Any, subscripts: str, a: Array, b: Array) -> Array:
    """numpy.einsum of two operands; where every letter stands in both, Σ of the products as `sum` adds up."""
    operands, out = subscripts.split("->")
    left, right = operands.split(",")
    summed = [c for c in left if c not in out]
    if set(left) != set(right) or not summed or a.dtype.kind != "f":
        return np.einsum(subscripts, a, b)
    a, b = (
        x.transpose([letters.index(c) for c in (*out, *summed)]) for x, letters in ((a, left), (b, right))
    )
    return sum(np, a * b, axis=tuple(range(len(out), a.ndim)))


def erf(np: Any, x: Array) -> Array:
    """erf x = 2/√π ∫₀ˣ e⁻ᵗ² dt = 2/√π e⁻ˣ² Σₙ 2ⁿ x²ⁿ⁺¹ / (1 · 3 · 5 ⋯ (2n + 1)), in float64.

    All terms have one sign, so no digit cancels. From |x| = 6 on, erf is ±1 in float64; up to there the terms
    beyond n = 150 are lost in rounding.
    """
    x = np.minimum(np.maximum(x, -6.0), 6.0)
    term = total = x
    for n in range(1, 150):
        term = term * (2 * x * x) / (2 * n + 1)
        total = total + term
    return 2 / math.sqrt(math.pi) * np.exp(-x * x) * total

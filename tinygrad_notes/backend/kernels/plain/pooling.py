"""The plain pooling kernels and their adjoints.

Pairs of adjoints: max_pool2d_gather/max_pool2d_scatter, avg_pool2d/avg_pool2d_adjoint.
"""

from __future__ import annotations

from typing import Any

from ..geometry import Pair, Shape, expect_shape, pool_margin, pool_size, window, window_counts
from .borders import crop, pad, padded_zeros

Array = Any
ONE = (1, 1)


def max_pool2d(
    np: Any,
    x: Array,
    kernel: Pair,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
    ceil_mode: bool,
) -> tuple[Array, Array]:
    """y = the largest value of each window; index = its place i·kw + j in the window.

    The first of equal values wins; NaN wins over numbers; padding counts as −∞ and is never chosen.
    x (N, C, H, W) → y, index (N, C, OH, OW), index in the smallest unsigned integer type that fits.
    """
    out = pool_size("max_pool2d", x.shape, kernel, stride, padding, dilation, ceil_mode)
    far = pool_margin(x.shape, out, kernel, stride, padding, dilation)
    first = first_inside(np, out, kernel, stride, padding, dilation)
    x = pad(np, x, padding, far, -float("inf"))
    y = np.full((*x.shape[:2], *out), -float("inf"), dtype=x.dtype)
    index = np.zeros(y.shape, dtype=index_dtype(kernel)) + first
    for i in range(kernel[0]):
        for j in range(kernel[1]):
            value = window(x, i, j, out, stride, dilation)
            wins = (value > y) | (value != value)
            y = np.where(wins, value, y)
            index[wins] = i * kernel[1] + j
    return y, index


def max_pool2d_scatter(
    np: Any,
    gy: Array,
    index: Array,
    x_shape: Shape,
    kernel: Pair,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
) -> Array:
    """gx[place that `index` names] += gy: the gradient of max_pool2d. gy, index (N, C, OH, OW)."""
    out = gy.shape[2], gy.shape[3]
    check_index("max_pool2d_scatter", index, x_shape, gy.shape, kernel, stride, padding, dilation)
    far = pool_margin(x_shape, out, kernel, stride, padding, dilation)
    gx = padded_zeros(np, x_shape, padding, far, gy.dtype)
    for i in range(kernel[0]):
        for j in range(kernel[1]):
            chosen = np.where(index == i * kernel[1] + j, gy, 0)
            places = window(gx, i, j, out, stride, dilation)
            places += chosen
    return crop(gx, x_shape, padding)


def max_pool2d_gather(
    np: Any,
    x: Array,
    index: Array,
    kernel: Pair,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
) -> Array:
    """y = x[place that `index` names]: the adjoint of max_pool2d_scatter. index (N, C, OH, OW)."""
    out = index.shape[2], index.shape[3]
    check_index("max_pool2d_gather", index, x.shape, index.shape, kernel, stride, padding, dilation)
    far = pool_margin(x.shape, out, kernel, stride, padding, dilation)
    x = pad(np, x, padding, far, 0)
    y = np.zeros(index.shape, dtype=x.dtype)
    for i in range(kernel[0]):
        for j in range(kernel[1]):
            value = window(x, i, j, out, stride, dilation)
            y = np.where(index == i * kernel[1] + j, value, y)
    return y


def avg_pool2d(
    np: Any,
    x: Array,
    kernel: Pair,
    stride: Pair,
    padding: Pair,
    ceil_mode: bool,
    count_include_pad: bool,
) -> Array:
    """y = (sum of each window) / (number of its places that count). x (N, C, H, W).

    Padding adds zero to the sum, and to the number only with `count_include_pad`.
    """
    out = pool_size("avg_pool2d", x.shape, kernel, stride, padding, ONE, ceil_mode)
    far = pool_margin(x.shape, out, kernel, stride, padding, ONE)
    divisor = _divisor(np, x, x.shape, out, kernel, stride, padding, count_include_pad)
    x = pad(np, x, padding, far, 0)
    total = np.zeros((*x.shape[:2], *out), dtype=x.dtype)
    for i in range(kernel[0]):
        for j in range(kernel[1]):
            total += window(x, i, j, out, stride, ONE)
    return total / divisor


def avg_pool2d_adjoint(
    np: Any,
    gy: Array,
    x_shape: Shape,
    kernel: Pair,
    stride: Pair,
    padding: Pair,
    ceil_mode: bool,
    count_include_pad: bool,
) -> Array:
    """gx: each pixel receives gy / divisor from every window that averaged it."""
    op = "avg_pool2d_adjoint"
    out = pool_size(op, x_shape, kernel, stride, padding, ONE, ceil_mode)
    expect_shape(op, "gy", gy, (*x_shape[:2], *out))
    far = pool_margin(x_shape, out, kernel, stride, padding, ONE)
    share = gy / _divisor(np, gy, x_shape, out, kernel, stride, padding, count_include_pad)
    gx = padded_zeros(np, x_shape, padding, far, gy.dtype)
    for i in range(kernel[0]):
        for j in range(kernel[1]):
            places = window(gx, i, j, out, stride, ONE)
            places += share
    return crop(gx, x_shape, padding)


def index_dtype(kernel: Pair) -> str:
    """The smallest unsigned integer type that counts the kh·kw places of a window."""
    places = kernel[0] * kernel[1]
    return "uint8" if places <= 1 << 8 else "uint16" if places <= 1 << 16 else "uint32"


def check_index(
    op: str,
    index: Array,
    x_shape: Shape,
    y_shape: Shape,
    kernel: Pair,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
) -> None:
    """A pooling's index and output must belong to this input: floor or ceil size, same N and C."""

    def belongs(ceil_mode: bool) -> bool:
        size = pool_size(op, x_shape, kernel, stride, padding, dilation, ceil_mode)
        return tuple(y_shape) == (*x_shape[:2], *size)

    # The ceil size first: it exists where the floor size does not, for a kernel beyond the padded input.
    if tuple(index.shape) != tuple(y_shape) or not (belongs(True) or belongs(False)):
        raise ValueError(
            f"{op}: index {tuple(index.shape)} and output {tuple(y_shape)} do not belong to an "
            f"input {tuple(x_shape)} pooled by {kernel} with stride {stride}, padding {padding}"
        )


def first_inside(np: Any, out: Pair, kernel: Pair, stride: Pair, padding: Pair, dilation: Pair) -> Array:
    """The first place of each window that is not near padding: what an all −∞ window answers."""
    row, col = (
        [min(k - 1, -(-max(0, p - o * s) // d)) for o in range(size)]
        for size, k, s, p, d in zip(out, kernel, stride, padding, dilation, strict=True)
    )
    places = [[r * kernel[1] + c for c in col] for r in row]
    return np.array(places, dtype=index_dtype(kernel))


def _divisor(
    np: Any,
    like: Array,
    x_shape: Shape,
    out: Pair,
    kernel: Pair,
    stride: Pair,
    padding: Pair,
    include_pad: bool,
) -> Array:
    """(OH, OW) numbers of places that each window averages over, in the dtype of `like`."""
    rows, cols = window_counts(x_shape, out, kernel, stride, padding, include_pad)
    return np.array(rows, dtype=like.dtype)[:, None] * np.array(cols, dtype=like.dtype)

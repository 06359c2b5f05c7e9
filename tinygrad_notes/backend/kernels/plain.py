"""The plain definition of every kernel: what the tuned ones must equal.

The first argument is the array library (NumPy or CuPy); arrays of symbols work wherever the
mathematics needs no comparison. A kernel loops at most over the kh·kw offsets of its window, or
over time.

Linear kernels come in pairs, each the other's adjoint, ⟨f(x), g⟩ = ⟨x, f*(g)⟩:
im2col/col2im, conv2d/conv2d_input_grad (in x) and /conv2d_weight_grad (in w),
max_pool2d_gather/max_pool2d_scatter, avg_pool2d/avg_pool2d_adjoint, indexing/scatter_add,
take_rows/add_rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .geometry import (
    Pair,
    Shape,
    conv_geometry,
    expect_shape,
    pool_margin,
    pool_size,
    window,
    window_counts,
    window_size,
)

Array = Any
ONE = (1, 1)


def im2col(np: Any, x: Array, kernel: Pair, stride: Pair, padding: Pair, dilation: Pair) -> Array:
    """cols[n, c, i, j, p, q] = x̄[n, c, p·sh + i·dh, q·sw + j·dw],  x̄ = x padded with zeros."""
    out = window_size("im2col", x.shape, kernel, stride, padding, dilation)
    x = _pad(np, x, padding, padding, 0)
    *outer, down, right = x.strides
    steps = (dilation[0] * down, dilation[1] * right, stride[0] * down, stride[1] * right)  # of i, j, p, q
    return np.lib.stride_tricks.as_strided(x, (*x.shape[:2], *kernel, *out), (*outer, *steps)).copy()


def col2im(np: Any, cols: Array, x_shape: Shape, stride: Pair, padding: Pair, dilation: Pair) -> Array:
    """The adjoint of im2col: every column entry is *added* to the pixel that it was read from."""
    kernel = cols.shape[2], cols.shape[3]
    out = window_size("col2im", x_shape, kernel, stride, padding, dilation)
    expect_shape("col2im", "cols", cols, (*x_shape[:2], *kernel, *out))
    gx = _padded_zeros(np, x_shape, padding, padding, cols.dtype)
    for i in range(kernel[0]):
        for j in range(kernel[1]):
            places = window(gx, i, j, out, stride, dilation)
            places += cols[:, :, i, j]
    return _crop(gx, x_shape, padding)


def conv2d(
    np: Any,
    x: Array,
    w: Array,
    b: Array | None,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
    groups: int,
) -> Array:
    """y[n, o, p, q] = b[o] + Σ_{c,i,j} w[o, c, i, j] x̄[n, c, p·sh + i·dh, q·sw + j·dw].

    A cross-correlation: the kernel is not flipped. c runs over the channels of o's group.
    x (N, C, H, W), w (O, C/groups, kh, kw), b (O,) or None → y (N, O, OH, OW).
    """
    out = conv_geometry("conv2d", x.shape, w.shape, stride, padding, dilation, groups).out
    if b is not None:
        expect_shape("conv2d", "b", b, w.shape[:1])
    n, o = x.shape[0], w.shape[0]
    y = _rows(w, groups) @ _columns(np, x, w.shape, stride, padding, dilation, groups)
    y = y.reshape(n, o, *out)
    return y if b is None else y + b.reshape(o, 1, 1)


def conv2d_input_grad(
    np: Any,
    gy: Array,
    w: Array,
    x_shape: Shape,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
    groups: int,
) -> Array:
    """gx = col2im(wᵀ gy): the adjoint of conv2d in x, for gy (N, O, OH, OW)."""
    op = "conv2d_input_grad"
    out = conv_geometry(op, x_shape, w.shape, stride, padding, dilation, groups).out
    expect_shape(op, "gy", gy, (x_shape[0], w.shape[0], *out))
    cols = _rows(w, groups).swapaxes(1, 2) @ _grouped(gy, groups)
    cols = cols.reshape(*x_shape[:2], *w.shape[2:], *out)
    return col2im(np, cols, x_shape, stride, padding, dilation)


def conv2d_weight_grad(
    np: Any,
    gy: Array,
    x: Array,
    w_shape: Shape,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
    groups: int,
) -> Array:
    """gw = Σ_n gy · im2col(x)ᵀ: the adjoint of conv2d in w, for gy (N, O, OH, OW)."""
    op = "conv2d_weight_grad"
    out = conv_geometry(op, x.shape, w_shape, stride, padding, dilation, groups).out
    expect_shape(op, "gy", gy, (x.shape[0], w_shape[0], *out))
    cols = _columns(np, x, w_shape, stride, padding, dilation, groups)
    return sum(np, _grouped(gy, groups) @ cols.swapaxes(2, 3), axis=0).reshape(w_shape)


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
    x = _pad(np, x, padding, far, -float("inf"))
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
    gx = _padded_zeros(np, x_shape, padding, far, gy.dtype)
    for i in range(kernel[0]):
        for j in range(kernel[1]):
            chosen = np.where(index == i * kernel[1] + j, gy, 0)
            places = window(gx, i, j, out, stride, dilation)
            places += chosen
    return _crop(gx, x_shape, padding)


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
    x = _pad(np, x, padding, far, 0)
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
    x = _pad(np, x, padding, far, 0)
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
    gx = _padded_zeros(np, x_shape, padding, far, gy.dtype)
    for i in range(kernel[0]):
        for j in range(kernel[1]):
            places = window(gx, i, j, out, stride, ONE)
            places += share
    return _crop(gx, x_shape, padding)


def scatter_add(np: Any, g: Array, index: Any, shape: Shape) -> Array:
    """out = zeros(shape); out[index] += g, where places that `index` repeats accumulate.

    The adjoint of indexing: ⟨x[index], g⟩ = ⟨x, scatter_add(g, index, x.shape)⟩.
    """
    out = np.zeros(shape, dtype=g.dtype)
    np.add.at(out, index, g)
    return out


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


def scan(
    np: Any,
    step: Callable[..., tuple[Array, ...]],
    sequences: Sequence[Array],
    states: Sequence[Array],
    constants: Sequence[Array],
    mask: Array | None,
    reverse: bool,
) -> tuple[Array, ...]:
    """A recurrence over t = 0, 1, ..., T − 1, or from T − 1 down to 0 with `reverse`.

    (*states, *results) ← step(*[s[t] for s in sequences], *states, *constants), where every s[t], state and
    result is (N, ...).
    Where `mask` (T, N) is False a sample has no step: its states stay, its results are 0, whatever its
    sequences hold there. Returns the states after the last step and the results of all, stacked (T, N, ...).
    """
    times = check_times(sequences)
    states, rows = tuple(states), [()] * len(times)
    for t in reversed(times) if reverse else times:
        new = step(*(s[t] for s in sequences), *states, *constants)
        if mask is not None:
            new = tuple(
                np.where(mask[t].reshape(-1, *(1,) * (value.ndim - 1)), value, before)
                for value, before in zip(new, states + (0,) * (len(new) - len(states)), strict=True)
            )
        states, rows[t] = new[: len(states)], new[len(states) :]
    return *states, *(np.stack(results) for results in zip(*rows, strict=True))


def check_times(sequences: Sequence[Array]) -> range:
    """The times of sequences of one length, which must not be 0: no step would say what its results are."""
    lengths = [len(s) for s in sequences]
    if len(set(lengths)) != 1 or not lengths[0]:
        raise ValueError(f"scan: sequences must be of one length, and at least 1 long; got {lengths}")
    return range(lengths[0])


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


def _rows(w: Array, groups: int) -> Array:
    """w (O, C/G, kh, kw) → (G, O/G, C/G·kh·kw)."""
    return w.reshape(groups, w.shape[0] // groups, w.shape[1] * w.shape[2] * w.shape[3])


def _grouped(gy: Array, groups: int) -> Array:
    """gy (N, O, OH, OW) → (N, G, O/G, OH·OW)."""
    n, o, oh, ow = gy.shape
    return gy.reshape(n, groups, o // groups, oh * ow)


def _columns(
    np: Any,
    x: Array,
    w_shape: Shape,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
    groups: int,
) -> Array:
    """im2col(x) as (N, G, C/G·kh·kw, OH·OW)."""
    cols = im2col(np, x, (w_shape[2], w_shape[3]), stride, padding, dilation)
    depth = w_shape[1] * w_shape[2] * w_shape[3]
    return cols.reshape(x.shape[0], groups, depth, cols.shape[4] * cols.shape[5])


def _pad(np: Any, x: Array, near: Pair, far: Pair, value: float) -> Array:
    """x with near/far rows and columns of `value` around its last two axes."""
    if near == far == (0, 0):
        return x
    n, c, h, w = x.shape
    padded = np.full((n, c, near[0] + h + far[0], near[1] + w + far[1]), value, dtype=x.dtype)
    padded[:, :, near[0] : near[0] + h, near[1] : near[1] + w] = x
    return padded


def _padded_zeros(np: Any, x_shape: Shape, near: Pair, far: Pair, dtype: Any) -> Array:
    n, c, h, w = x_shape
    return np.zeros((n, c, near[0] + h + far[0], near[1] + w + far[1]), dtype=dtype)


def _crop(padded: Array, x_shape: Shape, near: Pair) -> Array:
    return padded[:, :, near[0] : near[0] + x_shape[2], near[1] : near[1] + x_shape[3]]


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


def sgd(
    np: Any, p: Array, g: Array, v: Array, *, lr: float, momentum: float, dampening: float,
    weight_decay: float, nesterov: bool, first: bool,
) -> tuple[Array, Array]:  # fmt: skip
    """(p, v) after a step: v ← μ v + (1 − dampening) g, the first v is g;  p ← p − lr v (or g + μ v)."""
    g = g + weight_decay * p
    v = g if first or not momentum else momentum * v + (1 - dampening) * g
    return p - lr * (g + momentum * v if nesterov else v), v


def adam(
    np: Any, p: Array, g: Array, m: Array, v: Array, largest: Array | None, *, lr: float, beta1: float,
    beta2: float, eps: float, l2: float, decay: float, step: int,
) -> tuple[Array, Array, Array, Array | None]:  # fmt: skip
    """(p, m, v, largest) after step `step`: Adam with `l2`, AdamW with `decay`, AMSGrad with `largest`."""
    p = p - decay * p
    g = g + l2 * p
    m, v = beta1 * m + (1 - beta1) * g, beta2 * v + (1 - beta2) * g**2
    largest = None if largest is None else np.maximum(largest, v)
    m_hat, v_hat = m / (1 - beta1**step), (v if largest is None else largest) / (1 - beta2**step)
    return p - lr * m_hat / (np.sqrt(v_hat) + eps), m, v, largest

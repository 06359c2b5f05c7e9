"""The plain convolution, its two adjoints, and the columns that they are made of.

Linear in x and in w, each kernel is another's adjoint, ⟨f(x), g⟩ = ⟨x, f*(g)⟩: im2col/col2im,
conv2d/conv2d_input_grad in x, conv2d/conv2d_weight_grad in w.
"""

from __future__ import annotations

from typing import Any

from ..geometry import Pair, Shape, conv_geometry, expect_shape, window, window_size
from .arrays import sum
from .borders import crop, pad, padded_zeros

Array = Any


def im2col(np: Any, x: Array, kernel: Pair, stride: Pair, padding: Pair, dilation: Pair) -> Array:
    """cols[n, c, i, j, p, q] = x̄[n, c, p·sh + i·dh, q·sw + j·dw],  x̄ = x padded with zeros."""
    out = window_size("im2col", x.shape, kernel, stride, padding, dilation)
    x = pad(np, x, padding, padding, 0)
    *outer, down, right = x.strides
    steps = (dilation[0] * down, dilation[1] * right, stride[0] * down, stride[1] * right)  # of i, j, p, q
    return np.lib.stride_tricks.as_strided(x, (*x.shape[:2], *kernel, *out), (*outer, *steps)).copy()


def col2im(np: Any, cols: Array, x_shape: Shape, stride: Pair, padding: Pair, dilation: Pair) -> Array:
    """The adjoint of im2col: every column entry is *added* to the pixel that it was read from."""
    kernel = cols.shape[2], cols.shape[3]
    out = window_size("col2im", x_shape, kernel, stride, padding, dilation)
    expect_shape("col2im", "cols", cols, (*x_shape[:2], *kernel, *out))
    gx = padded_zeros(np, x_shape, padding, padding, cols.dtype)
    for i in range(kernel[0]):
        for j in range(kernel[1]):
            places = window(gx, i, j, out, stride, dilation)
            places += cols[:, :, i, j]
    return crop(gx, x_shape, padding)


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

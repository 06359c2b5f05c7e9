"""The convolution trio: columns of windows, one matrix product for all images of a batch, and images again.

With columns (K, N·P), K = C·kh·kw places of a window and P = OH·OW windows of each of N images, all three are
one product, whatever N is:

    y  (O, N·P) = w (O, K) cols,      gx = col2im(wᵀ gy),      gw (O, K) = gy (O, N·P) colsᵀ.

(A product for each image would be small, and CuPy would first write three arrays of pointers.) So images
change places with channels: for x and gx that costs nothing, im2col and col2im have either order; y is turned
back by a launch that adds the bias as well, gy is turned by a copy. Groups are a batch of such products.

A 1×1 kernel of stride 1 needs no columns: y is a batch of products, which all read one w.
3×3 kernels of stride 1 in float32 are Winograd's where that is less work (winograd.py).
What is not all float16, float32 or float64, and empty batches, are left to the plain definitions.

Sums are cuBLAS's: float32 (and float16) is added up in float32, the weight gradient over all N·P too, as by
PyTorch; float64 in float64.
"""

from __future__ import annotations

import math
from typing import Any

import cupy
import numpy as np

from ..kernels import plain
from ..kernels.geometry import Conv, Pair, Shape, conv_geometry, expect_shape
from . import launch, windows, winograd
from .products import matmul

Array = Any

COLUMNS = 1 << 28  # elements of the columns made at once, 1 GiB of float32: larger batches are cut
ONE, ZERO = (1, 1), (0, 0)

FIELDS = "images channels places"
IMAGES = launch.Template("images_of_rows", launch.struct("Sizes", FIELDS) + """
// y (images, channels, places) of rows (channels, images, places); b (channels) is added if biased.
extern "C" __global__ void images_of_rows(
    long long count, const T* rows, const T* b, T* y, int biased, Sizes s) {
  I t = (I)blockIdx.x * blockDim.x + threadIdx.x;
  if (t >= count) return;
  I place = t % s.places, plane = t / s.places;
  I channel = plane % s.channels, image = plane / s.channels;
  T value = rows[(channel * s.images + image) * s.places + place];
  y[t] = biased ? (T)((A)value + (A)b[channel]) : value;
}
""", T=launch.REAL)  # fmt: skip


def conv2d(
    x: Array,
    w: Array,
    b: Array | None,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
    groups: int,
) -> Array:
    """y = w ⋆ x + b, as plain.conv2d.  x (N, C, H, W), w (O, C/groups, kh, kw), b (O,) → (N, O, OH, OW)."""
    conv = conv_geometry("conv2d", x.shape, w.shape, stride, padding, dilation, groups)
    if b is not None:
        expect_shape("conv2d", "b", b, w.shape[:1])
    if not _tuned(x, w, w if b is None else b):
        return plain.conv2d(cupy, x, w, b, stride, padding, dilation, groups)
    if winograd.takes(conv, x.dtype):
        return winograd.forward(x, w, b, conv)
    n, o, places = x.shape[0], w.shape[0], math.prod(conv.out)
    if _is_product(conv):
        y = matmul(_rows(w, conv), x.reshape(n, groups, x.shape[1] // groups, places))
        y = y.reshape(n, o, *conv.out)
        return y if b is None else cupy.add(y, b.reshape(o, 1, 1), out=y)
    if n == 1 and b is None:  # one image is in order
        return _product(_rows(w, conv), _columns(x, conv)).reshape(n, o, *conv.out)
    y = cupy.empty((n, o, *conv.out), x.dtype)
    for first, stop in _parts(conv):
        _write(_product(_rows(w, conv), _columns(x[first:stop], conv)), b, y[first:stop])
    return y


def conv2d_input_grad(
    gy: Array,
    w: Array,
    x_shape: Shape,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
    groups: int,
) -> Array:
    """gx = col2im(wᵀ gy), as plain.conv2d_input_grad, for gy (N, O, OH, OW)."""
    op = "conv2d_input_grad"
    conv = conv_geometry(op, x_shape, w.shape, stride, padding, dilation, groups)
    expect_shape(op, "gy", gy, (x_shape[0], w.shape[0], *conv.out))
    if not _tuned(gy, w):
        return plain.conv2d_input_grad(cupy, gy, w, x_shape, stride, padding, dilation, groups)
    if winograd.takes(conv, gy.dtype):
        return winograd.input_grad(gy, w, conv)
    n, places, turned = x_shape[0], math.prod(conv.out), _rows(w, conv).swapaxes(1, 2)
    if _is_product(conv):
        gx = matmul(turned, gy.reshape(n, groups, w.shape[0] // groups, places))
        return gx.reshape(x_shape)
    done = []
    for first, stop in _parts(conv):
        cols = _product(turned, _rows_of(gy[first:stop], conv))
        cols = cols.reshape(x_shape[1], *conv.w[2:], stop - first, *conv.out)
        shape = (stop - first, *conv.x[1:])
        done.append(windows.add_columns(cols, shape, conv.stride, conv.padding, conv.dilation, many=True))
    return done[0] if len(done) == 1 else cupy.concatenate(done)


def conv2d_weight_grad(
    gy: Array,
    x: Array,
    w_shape: Shape,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
    groups: int,
) -> Array:
    """gw = Σ gy · im2col(x)ᵀ over images and places, as plain.conv2d_weight_grad, for gy (N, O, OH, OW)."""
    op = "conv2d_weight_grad"
    conv = conv_geometry(op, x.shape, w_shape, stride, padding, dilation, groups)
    expect_shape(op, "gy", gy, (x.shape[0], w_shape[0], *conv.out))
    if not _tuned(gy, x):
        return plain.conv2d_weight_grad(cupy, gy, x, w_shape, stride, padding, dilation, groups)
    if winograd.takes(conv, x.dtype):
        return winograd.weight_grad(gy, x, conv)
    gw = None
    for first, stop in _parts(conv):
        cols, rows = _columns(x[first:stop], conv), gy[first:stop]
        if groups == 1:
            part = matmul(_rows_of(rows, conv)[0], cols[0].T)
        else:  # a batch of products wants both sides in order: the smaller result is turned, not the columns
            rows = rows.reshape(stop - first, groups, -1, math.prod(conv.out)).transpose(1, 0, 3, 2)
            part = matmul(cols, rows.reshape(groups, cols.shape[2], -1)).swapaxes(1, 2)
        gw = part if gw is None else gw + part
    return cupy.ascontiguousarray(gw).reshape(w_shape)


def _tuned(*arrays: Array) -> bool:
    """Whether the arrays are real numbers of one dtype, and there are some."""
    char = arrays[0].dtype.char
    return char in launch.REAL and all(a.dtype.char == char and a.size for a in arrays)


def _is_product(conv: Conv) -> bool:
    """Whether the windows are the pixels; copies of w, for groups, must cost less than columns."""
    pixels = conv.w[2:] == ONE and conv.stride == ONE and conv.padding == ZERO
    return pixels and (conv.groups == 1 or max(conv.w[:2]) <= math.prod(conv.out))


def _parts(conv: Conv) -> list[tuple[int, int]]:
    """Images first to stop whose columns are made at once."""
    n, c = conv.x[:2]
    step = max(1, COLUMNS // max(1, c * math.prod(conv.w[2:]) * math.prod(conv.out)))
    return [(first, min(first + step, n)) for first in range(0, n, step)]


def _rows(w: Array, conv: Conv) -> Array:
    """w (O, C/G, kh, kw) → (G, O/G, C/G·kh·kw)."""
    return w.reshape(conv.groups, conv.w[0] // conv.groups, math.prod(conv.w[1:]))


def _columns(x: Array, conv: Conv) -> Array:
    """im2col(x) as (G, C/G·kh·kw, N·OH·OW)."""
    kernel = conv.w[2], conv.w[3]
    cols = windows.columns(x, kernel, conv.stride, conv.padding, conv.dilation, conv.out, many=True)
    return cols.reshape(conv.groups, math.prod(conv.w[1:]), -1)


def _rows_of(gy: Array, conv: Conv) -> Array:
    """gy (N, O, OH, OW) → (G, O/G, N·OH·OW)."""
    return gy.swapaxes(0, 1).reshape(conv.groups, conv.w[0] // conv.groups, -1)


def _product(a: Array, b: Array) -> Array:
    """a (G, m, k) @ b (G, k, n); one group as two matrices, which CuPy need not copy where one is turned."""
    return matmul(a[0], b[0])[None] if len(a) == 1 else matmul(a, b)


def _write(product: Array, b: Array | None, y: Array) -> None:
    """y (N, O, OH, OW) = product (G, O/G, N·OH·OW), and b is added."""
    n, o, places = y.shape[0], y.shape[1], y.shape[2] * y.shape[3]
    index = launch.index_type(y.shape)
    given = launch.packed(FIELDS, index, (n, o, places))
    biased = np.int32(b is not None)
    b = product if b is None else cupy.ascontiguousarray(b)
    launch.over(IMAGES(y.dtype.char, index), y.size, product, b, y, biased, given)

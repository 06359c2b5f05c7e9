"""Pooling and its adjoints: one launch each, a thread for every element of the result.

A window reads what lies inside the image, so nothing is padded; a pixel adds up what the windows that read it
hold for it, in the order of the plain definitions (kernels/plain/pooling.py). What is not float16, float32 or
float64 is left to them.
"""

from __future__ import annotations

from typing import Any

import cupy
import numpy as np

from ..kernels import plain
from ..kernels.geometry import Pair, Shape, expect_shape, pool_size
from . import launch
from .windows import WALK, WINDOWS, sizes

Array = Any

ONE = (1, 1)
PLACES = "BHI"  # types of a place in the window

WINDOW = (
    WINDOWS
    + """
#define WINDOW \\
  I t = (I)blockIdx.x * blockDim.x + threadIdx.x; \\
  if (t >= count) return; \\
  I q = t % s.ow, rest = t / s.ow; \\
  I p = rest % s.oh, plane = rest / s.oh; \\
  I top = p * s.sh - s.ph, left = q * s.sw - s.pw; \\
  x += plane * s.h * s.w;
"""
)

MAX = launch.Template("max_pool2d", WINDOW + """
// The first place that is not near padding, or the last one: what a window of -infinity answers.
__device__ I first_inside(I start, I dilation, I size) {
  I place = start < 0 ? (dilation - 1 - start) / dilation : 0;
  return place < size ? place : size - 1;
}

extern "C" __global__ void max_pool2d(long long count, const T* x, T* y, U* index, Windows s) {
  WINDOW
  A most = (A)__int_as_float(0xff800000);  // -infinity
  I chosen = first_inside(top, s.dh, s.kh) * s.kw + first_inside(left, s.dw, s.kw);
  for (I i = 0; i < s.kh; ++i) {
    I row = top + i * s.dh;
    if (row < 0 || row >= s.h) continue;
    for (I j = 0; j < s.kw; ++j) {
      I col = left + j * s.dw;
      if (col < 0 || col >= s.w) continue;
      A value = (A)x[row * s.w + col];
      if (value > most || value != value) {
        most = value;
        chosen = i * s.kw + j;
      }
    }
  }
  y[t] = (T)most;
  index[t] = (U)chosen;
}
""", T=launch.REAL, U=PLACES)  # fmt: skip

SCATTER = launch.Template("max_pool2d_scatter", WALK + """
extern "C" __global__ void max_pool2d_scatter(
    long long count, const T* gy, const U* index, T* gx, Windows s) {
  PIXEL
  A sum = 0;
  WALK({
    I from = (plane * s.oh + p) * s.ow + q;
    if (index[from] == (U)(i * s.kw + j)) sum += (A)gy[from];
  })
  gx[t] = (T)sum;
}
""", T=launch.REAL, U=PLACES)  # fmt: skip

GATHER = launch.Template("max_pool2d_gather", WINDOW + """
extern "C" __global__ void max_pool2d_gather(
    long long count, const T* x, const U* index, T* y, Windows s) {
  WINDOW
  I place = (I)index[t];
  I row = top + place / s.kw * s.dh, col = left + place % s.kw * s.dw;
  bool inside = place >= 0 && place < s.kh * s.kw && row >= 0 && row < s.h && col >= 0 && col < s.w;
  y[t] = inside ? x[row * s.w + col] : (T)0.0f;
}
""", T=launch.REAL, U=PLACES)  # fmt: skip

# How many places of a window count, along one axis: as geometry.window_counts.
COUNTED = """
__device__ I counted(I start, I kernel, I size, I edge) {
  I stop = start + kernel < size + edge ? start + kernel : size + edge;
  return stop - (start > -edge ? start : -edge);
}
"""

AVERAGE = launch.Template("avg_pool2d", WINDOW + COUNTED + """
extern "C" __global__ void avg_pool2d(long long count, const T* x, T* y, int padded, Windows s) {
  WINDOW
  A sum = 0;
  for (I row = top < 0 ? 0 : top; row < top + s.kh && row < s.h; ++row)
    for (I col = left < 0 ? 0 : left; col < left + s.kw && col < s.w; ++col) sum += (A)x[row * s.w + col];
  A rows = counted(top, s.kh, s.h, padded ? s.ph : 0), cols = counted(left, s.kw, s.w, padded ? s.pw : 0);
  y[t] = (T)(sum / (rows * cols));
}
""", T=launch.REAL)  # fmt: skip

SPREAD = launch.Template("avg_pool2d_adjoint", WALK + COUNTED + """
extern "C" __global__ void avg_pool2d_adjoint(
    long long count, const T* gy, T* gx, int padded, Windows s) {
  PIXEL
  A sum = 0;
  WALK({
    A rows = counted(p * s.sh - s.ph, s.kh, s.h, padded ? s.ph : 0);
    A cols = counted(q * s.sw - s.pw, s.kw, s.w, padded ? s.pw : 0);
    sum += (A)gy[(plane * s.oh + p) * s.ow + q] / (rows * cols);
  })
  gx[t] = (T)sum;
}
""", T=launch.REAL)  # fmt: skip


def max_pool2d(
    x: Array,
    kernel: Pair,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
    ceil_mode: bool,
) -> tuple[Array, Array]:
    """(y, index) of the largest value of each window, as plain.max_pool2d.  x (N, C, H, W)."""
    out = pool_size("max_pool2d", x.shape, kernel, stride, padding, dilation, ceil_mode)
    if x.dtype.char not in launch.REAL:
        return plain.max_pool2d(cupy, x, kernel, stride, padding, dilation, ceil_mode)
    letter, given = sizes(x.shape, kernel, stride, padding, dilation, out)
    y = cupy.empty((*x.shape[:2], *out), x.dtype)
    index = cupy.empty(y.shape, plain.index_dtype(kernel))
    run = MAX(x.dtype.char, index.dtype.char, letter)
    launch.over(run, y.size, cupy.ascontiguousarray(x), y, index, given)
    return y, index


def max_pool2d_scatter(
    gy: Array,
    index: Array,
    x_shape: Shape,
    kernel: Pair,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
) -> Array:
    """gx[place that `index` names] += gy, as plain.max_pool2d_scatter; float16 is added up in float32."""
    window = kernel, stride, padding, dilation
    plain.check_index("max_pool2d_scatter", index, x_shape, gy.shape, *window)
    if gy.dtype.char not in launch.REAL or index.dtype.char not in PLACES:
        return plain.max_pool2d_scatter(cupy, gy, index, x_shape, *window)
    letter, given = sizes(x_shape, *window, (gy.shape[2], gy.shape[3]))
    gx = cupy.empty(x_shape, gy.dtype)
    run = SCATTER(gy.dtype.char, index.dtype.char, letter)
    gy, index = cupy.ascontiguousarray(gy), cupy.ascontiguousarray(index)
    launch.over(run, gx.size, gy, index, gx, given)
    return gx


def max_pool2d_gather(
    x: Array,
    index: Array,
    kernel: Pair,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
) -> Array:
    """y = x[place that `index` names], as plain.max_pool2d_gather.  index (N, C, OH, OW)."""
    window = kernel, stride, padding, dilation
    plain.check_index("max_pool2d_gather", index, x.shape, index.shape, *window)
    if x.dtype.char not in launch.REAL or index.dtype.char not in PLACES:
        return plain.max_pool2d_gather(cupy, x, index, *window)
    letter, given = sizes(x.shape, *window, (index.shape[2], index.shape[3]))
    y = cupy.empty(index.shape, x.dtype)
    run = GATHER(x.dtype.char, index.dtype.char, letter)
    launch.over(run, y.size, cupy.ascontiguousarray(x), cupy.ascontiguousarray(index), y, given)
    return y


def avg_pool2d(
    x: Array,
    kernel: Pair,
    stride: Pair,
    padding: Pair,
    ceil_mode: bool,
    count_include_pad: bool,
) -> Array:
    """y = mean of each window, as plain.avg_pool2d; float16 is added up in float32.  x (N, C, H, W)."""
    out = pool_size("avg_pool2d", x.shape, kernel, stride, padding, ONE, ceil_mode)
    if x.dtype.char not in launch.REAL:
        return plain.avg_pool2d(cupy, x, kernel, stride, padding, ceil_mode, count_include_pad)
    letter, given = sizes(x.shape, kernel, stride, padding, ONE, out)
    y = cupy.empty((*x.shape[:2], *out), x.dtype)
    padded = np.int32(count_include_pad)
    launch.over(AVERAGE(x.dtype.char, letter), y.size, cupy.ascontiguousarray(x), y, padded, given)
    return y


def avg_pool2d_adjoint(
    gy: Array,
    x_shape: Shape,
    kernel: Pair,
    stride: Pair,
    padding: Pair,
    ceil_mode: bool,
    count_include_pad: bool,
) -> Array:
    """gx: each pixel gets gy / divisor of every window that averaged it, as plain.avg_pool2d_adjoint."""
    op = "avg_pool2d_adjoint"
    out = pool_size(op, x_shape, kernel, stride, padding, ONE, ceil_mode)
    expect_shape(op, "gy", gy, (*x_shape[:2], *out))
    if gy.dtype.char not in launch.REAL:
        return plain.avg_pool2d_adjoint(
            cupy, gy, x_shape, kernel, stride, padding, ceil_mode, count_include_pad
        )
    letter, given = sizes(x_shape, kernel, stride, padding, ONE, out)
    gx, padded = cupy.empty(x_shape, gy.dtype), np.int32(count_include_pad)
    launch.over(SPREAD(gy.dtype.char, letter), gx.size, cupy.ascontiguousarray(gy), gx, padded, given)
    return gx

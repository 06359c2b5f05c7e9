"""Columns of windows: im2col and its adjoint, one launch each, without padded copies.

A thread of im2col reads one window; one of col2im adds up, in a fixed order, what all windows hold of its
pixel, so that no two threads write to one place. Definitions: kernels/plain/convolution.py.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import cupy

from ..kernels import plain
from ..kernels.geometry import Pair, Shape, expect_shape, window_size
from . import launch

Array = Any

# x (n, c, h, w), windows (kh, kw) with steps sh, padding ph and dilation dh (in width sw, pw, dw), of which
# there are (oh, ow). In columns the next image is `image` elements away, the next place of a window `place`.
FIELDS = "n c h w kh kw sh sw ph pw dh dw oh ow image place"
WINDOWS = launch.struct("Windows", FIELDS)

IM2COL = launch.Template("im2col", WINDOWS + """
extern "C" __global__ void im2col(long long count, const T* x, T* cols, Windows s) {
  I t = (I)blockIdx.x * blockDim.x + threadIdx.x;  // of (n, c, oh, ow)
  if (t >= count) return;
  I q = t % s.ow, rest = t / s.ow;
  I p = rest % s.oh, plane = rest / s.oh;
  I c = plane % s.c, n = plane / s.c;
  x += plane * s.h * s.w;
  cols += n * s.image + c * s.kh * s.kw * s.place + p * s.ow + q;
  I top = p * s.sh - s.ph, left = q * s.sw - s.pw;
  for (I i = 0; i < s.kh; ++i) {
    I row = top + i * s.dh;
    for (I j = 0; j < s.kw; ++j) {
      I col = left + j * s.dw;
      bool inside = row >= 0 && row < s.h && col >= 0 && col < s.w;
      *cols = inside ? x[row * s.w + col] : (T)0.0f;
      cols += s.place;
    }
  }
}
""", T=launch.REAL)  # fmt: skip

# WALK(statement) runs `statement` for every window (p, q) that reads the pixel (row, col) of a thread, as its
# place (i, j), in the order of the plain definitions.
WALK = (
    WINDOWS
    + """
#define WALK(statement) \\
  for (I i = 0; i < s.kh; ++i) { \\
    I p = row + s.ph - i * s.dh; \\
    if (p < 0) break; \\
    if (s.sh > 1) { \\
      if (p % s.sh) continue; \\
      p /= s.sh; \\
    } \\
    if (p >= s.oh) continue; \\
    for (I j = 0; j < s.kw; ++j) { \\
      I q = col + s.pw - j * s.dw; \\
      if (q < 0) break; \\
      if (s.sw > 1) { \\
        if (q % s.sw) continue; \\
        q /= s.sw; \\
      } \\
      if (q >= s.ow) continue; \\
      statement \\
    } \\
  }
#define PIXEL \\
  I t = (I)blockIdx.x * blockDim.x + threadIdx.x; \\
  if (t >= count) return; \\
  I col = t % s.w, rest = t / s.w; \\
  I row = rest % s.h, plane = rest / s.h;
"""
)

COL2IM = launch.Template("col2im", WALK + """
extern "C" __global__ void col2im(long long count, const T* cols, T* gx, Windows s) {
  PIXEL
  I c = plane % s.c, n = plane / s.c;
  cols += n * s.image + c * s.kh * s.kw * s.place;
  A sum = 0;
  WALK(sum += (A)cols[(i * s.kw + j) * s.place + p * s.ow + q];)
  gx[t] = (T)sum;
}
""", T=launch.REAL)  # fmt: skip


@functools.lru_cache(maxsize=1024)
def sizes(
    x_shape: Shape, kernel: Pair, stride: Pair, padding: Pair, dilation: Pair, out: Pair, many: bool = False
) -> tuple[str, Any]:
    """The type of indices, and the struct; with `many` columns are (C, kh, kw, N, OH, OW)."""
    n, c = x_shape[:2]
    places, window = math.prod(out), math.prod(kernel)
    index = launch.index_type(x_shape, (n, c, places, window))
    layout = (places, n * places) if many else (c * window * places, places)
    values = (*x_shape, *kernel, *stride, *padding, *dilation, *out, *layout)
    return index, launch.packed(FIELDS, index, values)


def columns(
    x: Array, kernel: Pair, stride: Pair, padding: Pair, dilation: Pair, out: Pair, many: bool = False
) -> Array:
    """im2col(x) of a real x (N, C, H, W), in one launch; with `many` as (C, kh, kw, N, OH, OW)."""
    n, c = x.shape[:2]
    index, given = sizes(x.shape, kernel, stride, padding, dilation, out, many)
    cols = cupy.empty((c, *kernel, n, *out) if many else (n, c, *kernel, *out), x.dtype)
    run = IM2COL(x.dtype.char, index)
    launch.over(run, n * c * out[0] * out[1], cupy.ascontiguousarray(x), cols, given)
    return cols


def add_columns(
    cols: Array, x_shape: Shape, stride: Pair, padding: Pair, dilation: Pair, many: bool = False
) -> Array:
    """col2im of real columns, in one launch; with `many` they are (C, kh, kw, N, OH, OW)."""
    kernel = cols.shape[1:3] if many else cols.shape[2:4]
    index, given = sizes(x_shape, kernel, stride, padding, dilation, cols.shape[4:], many)
    gx = cupy.empty(x_shape, cols.dtype)
    launch.over(COL2IM(cols.dtype.char, index), gx.size, cupy.ascontiguousarray(cols), gx, given)
    return gx


def im2col(x: Array, kernel: Pair, stride: Pair, padding: Pair, dilation: Pair) -> Array:
    """cols[n, c, i, j, p, q] = x̄[n, c, p·sh + i·dh, q·sw + j·dw], as plain.im2col."""
    out = window_size("im2col", x.shape, kernel, stride, padding, dilation)
    if x.dtype.char not in launch.REAL:
        return plain.im2col(cupy, x, kernel, stride, padding, dilation)
    return columns(x, kernel, stride, padding, dilation, out)


def col2im(cols: Array, x_shape: Shape, stride: Pair, padding: Pair, dilation: Pair) -> Array:
    """Every column entry added to the pixel that it was read from, as plain.col2im; float16 in float32."""
    kernel = cols.shape[2], cols.shape[3]
    out = window_size("col2im", x_shape, kernel, stride, padding, dilation)
    expect_shape("col2im", "cols", cols, (*x_shape[:2], *kernel, *out))
    if cols.dtype.char not in launch.REAL:
        return plain.col2im(cupy, cols, x_shape, stride, padding, dilation)
    return add_columns(cols, x_shape, stride, padding, dilation)

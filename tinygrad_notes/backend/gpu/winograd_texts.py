"""Winograd's algorithm F(4×4, 3×3) in CUDA C: transforms written from the matrices of kernels/winograd.py.

A thread transforms one tile in registers, y = M x Mᵀ, line by line down and then across. Arrays of tiles are
(36, channels, tiles), so that neighboring threads write neighboring numbers.

A pixel reaches every output of its tile, multiplied by what adds up to zero for those that do not see it. So
a tile in which a number stands out (kernels/outliers.py) is marked by NaN, and the matrix product hands the
NaN on to all that is made of the tile. Whatever comes back not finite, for this or for another reason, is
computed by the definition, in the thread that finds it: the host need not know. Where all is NaN that is many
times slower, and right.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..kernels import winograd
from ..kernels.outliers import LEVEL
from . import launch

PIECES, LENGTH = 128, 32  # of x: every block takes the mean size of these numbers
SAMPLE = PIECES * LENGTH


def stands_out(size: int) -> Any:
    """Times the sum over the sample of an array of `size` numbers: what is larger stands out.

    A single large one of few numbers makes their mean, and must stand out all the same, fivefold.
    """
    few = min(size, SAMPLE)
    return np.float32(max(16, min(LEVEL, few / 5)) / few)


def _both_sides(name: str, matrix: Any) -> str:
    """The C text of name(x, y): y = M x Mᵀ for M (m, k), x (k, k) and y (m, m), row by row."""
    m, k = matrix.shape
    read = ", ".join(f"x{j} = x[{j} * from]" for j in range(k))
    sums = (
        " + ".join(f"{np.float32(entry)}f * x{j}" for j, entry in enumerate(row) if entry) for row in matrix
    )
    written = "\n".join(f"  y[{i} * to] = {row};" for i, row in enumerate(sums))
    return f"""
__device__ __forceinline__ void {name}_line(const float* x, int from, float* y, int to) {{
  float {read};
{written}
}}
__device__ __forceinline__ void {name}(const float* x, float* y) {{
  float t[{m * k}];
  #pragma unroll
  for (int j = 0; j < {k}; ++j) {name}_line(x + j, {k}, t + j, {k});
  #pragma unroll
  for (int i = 0; i < {m}; ++i) {name}_line(t + {k} * i, 1, y + {m} * i, 1);
}}
"""


G, AT = winograd.matrices(3)

# x (images, channels, height, width), its tiles (images, rows, columns) every 4 pixels from (-top, -left) on,
# y (images, outputs, high, wide). Threads from THREADS·blocks on take the weights.
FIELDS = "images channels height width rows columns top left outputs high wide blocks"
SIZES = launch.struct("Sizes", FIELDS)

# Tile t of the (channels, images, rows, columns) of `planes` (images, channels, height, width): SIZE×SIZE
# pixels, zeros outside, which begin `top` rows above and `left` columns before its 4×4 outputs.
TILE = """
template <int SIZE> __device__ __forceinline__ void tile(
    const float* planes, I t, I channels, I height, I width, I top, I left, Sizes s, float* x) {
  I column = t % s.columns, rest = t / s.columns;
  I row = rest % s.rows, n = rest / s.rows % s.images, c = rest / s.rows / s.images;
  planes += (n * channels + c) * height * width;
  #pragma unroll
  for (int i = 0; i < SIZE; ++i) {
    #pragma unroll
    for (int j = 0; j < SIZE; ++j) {
      I p = 4 * row - top + i, q = 4 * column - left + j;
      bool inside = p >= 0 && p < height && q >= 0 && q < width;
      x[SIZE * i + j] = inside ? planes[p * width + q] : 0.0f;
    }
  }
}
"""

SAMPLED = f"""
// What the finite numbers of the sample add up to in size: asked by a whole block, added in one order.
__device__ float sampled(const float* x, I size) {{
  __shared__ float sums[{launch.THREADS}], parts[{launch.THREADS // 16}];
  I each = size / {PIECES};
  float sum = 0.0f;
  for (int t = threadIdx.x; t < {SAMPLE}; t += {launch.THREADS}) {{
    I piece = t / {LENGTH}, place = t;
    if (size > {SAMPLE}) place = piece * each + piece * (each - {LENGTH}) / {PIECES} + t % {LENGTH};
    float a = place < size ? fabsf(x[place]) : 0.0f;
    if (a <= 3.402823466e+38f) sum += a;
  }}
  sums[threadIdx.x] = sum;
  __syncthreads();
  if (threadIdx.x < {launch.THREADS // 16}) {{
    sum = 0.0f;
    for (int t = 0; t < 16; ++t) sum += sums[16 * threadIdx.x + t];
    parts[threadIdx.x] = sum;
  }}
  __syncthreads();
  sum = 0.0f;
  for (int t = 0; t < {launch.THREADS // 16}; ++t) sum += parts[t];
  return sum;
}}

template <int SIZE> __device__ __forceinline__ bool stands_out(const float* x, float most) {{
  bool found = false;
  #pragma unroll
  for (int i = 0; i < SIZE; ++i) found |= !(fabsf(x[i]) <= most);
  return found;
}}
"""

INPUTS = launch.Template("winograd_inputs", (
    SIZES + TILE + SAMPLED + _both_sides("tile_in", winograd.BT) + _both_sides("kernel_in", G)) + """
// v (36, channels, tiles) of x, and u (36, kernels) of w (kernels, 3, 3), each turned around if `flipped`.
extern "C" __global__ void winograd_inputs(
    long long count, const float* x, const float* w, float* v, float* u, int flipped, float share, Sizes s) {
  I t = (I)blockIdx.x * blockDim.x + threadIdx.x;
  if (t >= count) return;
  I tiles = s.images * s.rows * s.columns;
  float from[36], to[36];
  if (blockIdx.x >= s.blocks) {
    t -= s.blocks * blockDim.x;
    #pragma unroll
    for (int i = 0; i < 9; ++i) from[i] = w[9 * t + (flipped ? 8 - i : i)];
    kernel_in(from, to);
    #pragma unroll
    for (int e = 0; e < 36; ++e) u[e * s.channels * s.outputs + t] = to[e];
    return;
  }
  float most = share * sampled(x, s.images * s.channels * s.height * s.width);
  if (t >= s.channels * tiles) return;
  tile<6>(x, t, s.channels, s.height, s.width, s.top, s.left, s, from);
  if (stands_out<36>(from, most)) from[0] = __int_as_float(0x7fc00000);  // NaN
  tile_in(from, to);
  #pragma unroll
  for (int e = 0; e < 36; ++e) v[e * s.channels * tiles + t] = to[e];
}
""")  # fmt: skip

OUTPUTS = launch.Template("winograd_outputs", SIZES + _both_sides("tile_out", AT) + """
// One output by the definition: w is that of the output, its channels `step` apart. The padding of x is
// zeros, also times an infinite weight; the input gradient (flipped) has nothing outside of gy.
__device__ float direct(const float* x, const float* w, I step, int flipped, I top, I left, Sizes s) {
  float sum = 0.0f;
  for (I c = 0; c < s.channels; ++c)
    for (int i = 0; i < 9; ++i) {
      I p = top + i / 3, q = left + i % 3;
      bool inside = p >= 0 && p < s.height && q >= 0 && q < s.width;
      if (flipped && !inside) continue;
      float pixel = inside ? x[(c * s.height + p) * s.width + q] : 0.0f;
      sum += pixel * w[c * step + (flipped ? 8 - i : i)];
    }
  return sum;
}

// y of m (36, outputs, tiles); b (outputs) is added if biased. w is (outputs, channels, 3, 3), or if
// flipped (channels, outputs, 3, 3) and each turned around.
extern "C" __global__ void winograd_outputs(
    long long count, const float* m, const float* x, const float* w, const float* b, float* y, int biased,
    int flipped, Sizes s) {
  I t = (I)blockIdx.x * blockDim.x + threadIdx.x;
  if (t >= count) return;
  float from[36], to[16], none = 0.0f;
  #pragma unroll
  for (int e = 0; e < 36; ++e) from[e] = m[e * count + t];
  tile_out(from, to);
  #pragma unroll
  for (int i = 0; i < 16; ++i) none += 0.0f * to[i];
  I column = t % s.columns, rest = t / s.columns;
  I row = rest % s.rows, n = rest / s.rows % s.images, o = rest / s.rows / s.images;
  y += (n * s.outputs + o) * s.high * s.wide;
  x += n * s.channels * s.height * s.width;
  w += 9 * o * (flipped ? 1 : s.channels);
  float more = biased ? b[o] : 0.0f;
  #pragma unroll
  for (int i = 0; i < 16; ++i) {
    I p = 4 * row + i / 4, q = 4 * column + i % 4;
    if (p >= s.high || q >= s.wide) continue;
    float value = to[i];
    if (none != 0.0f) value = direct(x, w, flipped ? 9 * s.outputs : 9, flipped, p - s.top, q - s.left, s);
    y[p * s.wide + q] = value + more;
  }
}
""")  # fmt: skip

# A sum over tiles marked by NaN would be lost. In those of the weight gradient a tile in which a number
# stands out counts as zeros, and in a 37th row as 2 where others count as 1. There the product is the number
# of tiles exactly if none was left out on either side; otherwise those left out are added by the definition.
BOTH = launch.Template("winograd_both", (
    SIZES + TILE + SAMPLED + _both_sides("tile_in", winograd.BT) + _both_sides("output_in", AT.T)) + """
__device__ __forceinline__ void store(const float* y, bool out, float* to, I step) {
  #pragma unroll
  for (int e = 0; e < 36; ++e) to[e * step] = out ? 0.0f : y[e];
  to[36 * step] = out ? 2.0f : 1.0f;
}

// v (37, channels, tiles) of x, and from thread THREADS·blocks on d (37, outputs, tiles) of gy.
extern "C" __global__ void winograd_both(
    long long count, const float* x, const float* gy, float* v, float* d, float share_x, float share_gy,
    Sizes s) {
  I t = (I)blockIdx.x * blockDim.x + threadIdx.x, tiles = s.images * s.rows * s.columns;
  float from[36], to[36];
  if (blockIdx.x < s.blocks) {
    float most = share_x * sampled(x, s.images * s.channels * s.height * s.width);
    if (t >= s.channels * tiles) return;
    tile<6>(x, t, s.channels, s.height, s.width, s.top, s.left, s, from);
    tile_in(from, to);
    store(to, stands_out<36>(from, most), v + t, s.channels * tiles);
  } else {
    float most = share_gy * sampled(gy, s.images * s.outputs * s.high * s.wide);
    t -= s.blocks * blockDim.x;
    if (t >= s.outputs * tiles) return;
    tile<4>(gy, t, s.outputs, s.high, s.wide, 0, 0, s, from);
    output_in(from, to);
    store(to, stands_out<16>(from, most), d + t, s.outputs * tiles);
  }
}
""")  # fmt: skip

KERNELS = launch.Template("winograd_kernels", SIZES + _both_sides("kernel_out", G.T) + """
// What the outputs (row, column) of one tile add to a kernel by the definition.
__device__ __forceinline__ void add(const float* x, const float* gy, I row, I column, Sizes s, float* to) {
  for (I p = row; p < s.high && p < row + 4; ++p)
    for (I q = column; q < s.wide && q < column + 4; ++q)
      #pragma unroll
      for (int i = 0; i < 9; ++i) {
        I k = p - s.top + i / 3, l = q - s.left + i % 3;
        bool inside = k >= 0 && k < s.height && l >= 0 && l < s.width;
        to[i] += gy[p * s.wide + q] * (inside ? x[k * s.width + l] : 0.0f);
      }
}

// gw (outputs, channels, 3, 3) of du (37, outputs, channels); of the tiles left out too, or if the sum is not
// finite of all. v and d are the last rows of what was multiplied.
extern "C" __global__ void winograd_kernels(
    long long count, const float* du, const float* v, const float* d, const float* x, const float* gy,
    float* gw, Sizes s) {
  I t = (I)blockIdx.x * blockDim.x + threadIdx.x;
  if (t >= count) return;
  float from[36], to[9], none = 0.0f;
  #pragma unroll
  for (int e = 0; e < 36; ++e) from[e] = du[e * count + t];
  kernel_out(from, to);
  #pragma unroll
  for (int i = 0; i < 9; ++i) none += 0.0f * to[i];
  I tiles = s.images * s.rows * s.columns, c = t % s.channels, o = t / s.channels;
  bool all = none != 0.0f;
  if (all || du[36 * count + t] != (float)tiles) {
    #pragma unroll
    for (int i = 0; i < 9; ++i) to[i] = all ? 0.0f : to[i];
    for (I k = 0; k < tiles; ++k) {
      if (!all && v[c * tiles + k] == 1.0f && d[o * tiles + k] == 1.0f) continue;
      I column = k % s.columns, row = k / s.columns % s.rows, n = k / s.columns / s.rows;
      add(x + (n * s.channels + c) * s.height * s.width, gy + (n * s.outputs + o) * s.high * s.wide,
          4 * row, 4 * column, s, to);
    }
  }
  #pragma unroll
  for (int i = 0; i < 9; ++i) gw[9 * t + i] = to[i];
}
""")  # fmt: skip

"""Rows of a table by number, and their adjoint: always the same sum, whatever the order of the threads.

take_rows is one launch. add_rows sorts the numbers, and a thread for each column adds up the rows of one
number in the order in which they stood. Up to RANKED numbers, each finds its place by counting those before
it: one launch, in which nobody waits; CuPy's sort, which waits for the device, is for more.
Definitions: kernels/plain/arrays.py.
"""

from __future__ import annotations

from typing import Any

import cupy
import numpy as np

from ..kernels import plain
from . import launch

Array = Any

RANKED = 1 << 15  # each number meets all others, a billion comparisons at most: a guess, not measured
IDS = "il"  # int32, int64

FIELDS = "rows columns ids"
ROWS = launch.struct("Sizes", FIELDS)

TAKE = launch.Template("take_rows", ROWS + """
// y (ids, columns) = the rows of x that ids name; for the id `padding` the `constant`, or zeros.
extern "C" __global__ void take_rows(
    long long count, const T* x, const J* ids, const T* constant, T* y, long long padding, int constants,
    Sizes s) {
  I t = (I)blockIdx.x * blockDim.x + threadIdx.x;
  if (t >= count) return;
  I column = t % s.columns;
  long long id = (long long)ids[t / s.columns];
  if (id < 0 || id >= s.rows) y[t] = (T)__int_as_float(0x7fc00000);  // NaN
  else if (id == padding) y[t] = constants ? constant[column] : (T)0.0f;
  else y[t] = x[(I)id * s.columns + column];
}
""", T=launch.REAL, J=IDS)  # fmt: skip

RANK = launch.Template("rank_rows", """
// order[k] = the place of the number that is k-th when sorted; equal ones stay in order.
extern "C" __global__ void rank_rows(long long count, const J* ids, long long* order) {
  long long t = (long long)blockIdx.x * blockDim.x + threadIdx.x;
  if (t >= count) return;
  J own = ids[t];
  int before = 0, all = (int)count, place = (int)t;
  for (int k = 0; k < all; ++k) before += ids[k] < own || (ids[k] == own && k < place);
  order[before] = t;
}
""", J=IDS)  # fmt: skip

ADD = launch.Template("add_rows", ROWS + """
// out (rows, columns), zeros before: the thread of the first of equal numbers adds up the rows of g of all.
extern "C" __global__ void add_rows(
    long long count, const T* g, const J* ids, const long long* order, T* out, long long padding, Sizes s) {
  I t = (I)blockIdx.x * blockDim.x + threadIdx.x;
  if (t >= count) return;
  I column = t % s.columns, k = t / s.columns;
  J own = ids[order[k]];
  if (own < 0 || own >= s.rows || own == padding || (k > 0 && ids[order[k - 1]] == own)) return;
  A sum = 0;
  for (; k < s.ids && ids[order[k]] == own; ++k) sum += (A)g[(I)order[k] * s.columns + column];
  out[(I)own * s.columns + column] = (T)sum;
}
""", T=launch.REAL, J=IDS)  # fmt: skip


def take_rows(x: Array, ids: Array, padding_idx: int | None, row: Array | None) -> Array:
    """y[i] = x[ids[i]], but `row` (None: zeros) for ids[i] = padding_idx, as plain.take_rows.  x (V, D).

    An id out of range cannot be reported without waiting for the device: its row is NaN, so that what
    follows, a loss for example, is NaN and never a wrong number.
    """
    other = row is not None and (row.dtype, row.shape) != (x.dtype, x.shape[1:])
    if x.dtype.char not in launch.REAL or other:
        y = plain.take_rows(cupy, x, ids, padding_idx, row)
        inside = (ids >= 0) & (ids < len(x))
        return cupy.where(cupy.expand_dims(inside, -1), y, cupy.full((), float("nan"), x.dtype))
    y = cupy.empty((*ids.shape, x.shape[1]), x.dtype)
    index = launch.index_type(x.shape, y.shape)
    given = launch.packed(FIELDS, index, (*x.shape, ids.size))
    ids, x = _numbers(ids), cupy.ascontiguousarray(x)
    constant = x if row is None else cupy.ascontiguousarray(row)
    run = TAKE(x.dtype.char, ids.dtype.char, index)
    launch.over(run, y.size, x, ids, constant, y, _padding(padding_idx), np.int32(row is not None), given)
    return y


def add_rows(g: Array, ids: Array, rows: int, padding_idx: int | None) -> Array:
    """out[v] = Σ g[i] over ids[i] = v, but 0 for v = padding_idx, as plain.add_rows.  g (*ids, D).

    float16 is added up in float32. What belongs to an id out of range is left out.
    """
    if g.dtype.char not in launch.REAL:
        return plain.add_rows(cupy, g, ids, rows, padding_idx)
    out = cupy.zeros((rows, g.shape[-1]), g.dtype)
    index = launch.index_type(out.shape, g.shape)
    given = launch.packed(FIELDS, index, (*out.shape, ids.size))
    ids = _numbers(ids)
    run = ADD(g.dtype.char, ids.dtype.char, index)
    launch.over(run, g.size, cupy.ascontiguousarray(g), ids, _order(ids), out, _padding(padding_idx), given)
    return out


def _numbers(ids: Array) -> Array:
    """Integers of any shape as (n,) of int32 or int64."""
    wide = ids.dtype.char if ids.dtype.char in IDS else "l"
    return cupy.ascontiguousarray(ids.astype(wide, copy=False)).reshape(-1)


def _order(ids: Array) -> Array:
    """The places of ids (n,) in the order of their values; equal ones as they stood."""
    if ids.size > RANKED:
        return cupy.argsort(ids, kind="stable")
    order = cupy.empty(ids.size, "l")
    launch.over(RANK(ids.dtype.char), ids.size, ids, order)
    return order


def _padding(padding_idx: int | None) -> Any:
    """The id of padding as the kernels get it; −1 is that of no row."""
    return np.int64(-1 if padding_idx is None else padding_idx)

"""Optimizer updates of all parameters in one launch. Definitions: kernels/update.py.

A launch gets a table by value: where the arrays of up to 64 parameters begin, and which blocks of threads
work at which. Gradients are new arrays in every step, so the table is filled anew; CUDA keeps its own copy.
Parameters with equal options and dtype share launches.

What changes from step to step can lie on the device, so that a recorded launch can be repeated with new
values: ``numbers["given"]``, a float64 array in the order of `sgd_numbers` or `adam_numbers`. It is read
instead of the numbers; the flags `nesterov` and `first`, and whether `momentum` is 0, are still the host's.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..kernels.update import Calls
from . import launch

Array = Any

MANY = 64  # parameters of a launch: CUDA takes 4 KiB of arguments
PIECE = 4 * launch.THREADS  # elements of a block
ROLES = ("p", "g", "m", "v", "largest")  # of SGD the first three, m is the velocity
TABLE = np.dtype(
    [*((role, "u8", MANY) for role in ROLES), ("size", "i8", MANY), ("number", "f8", 8), ("given", "u8"),
     ("start", "i4", MANY + 1), ("count", "i4"), ("first", "i4"), ("nesterov", "i4"), ("moving", "i4")],
    align=True,
)  # fmt: skip

BEGIN = """
struct Table {
  T *p[MANY], *g[MANY], *m[MANY], *v[MANY], *largest[MANY];
  long long size[MANY];
  double number[8];
  const double* given;
  int start[MANY + 1], count, first, nesterov, moving;
};

#define NUMBER(k) (A)(table.given ? table.given[k] : table.number[k])

// Which parameter this block is of.
#define PARAMETER \\
  int own = 0, beyond = table.count; \\
  while (beyond - own > 1) { \\
    int middle = (own + beyond) / 2; \\
    if ((int)blockIdx.x >= table.start[middle]) own = middle; \\
    else beyond = middle; \\
  } \\
  long long begin = (long long)((int)blockIdx.x - table.start[own]) * (4 * blockDim.x) + threadIdx.x; \\
  long long end = begin + 4 * blockDim.x < table.size[own] ? begin + 4 * blockDim.x : table.size[own];
""".replace("MANY", str(MANY))

SGD = launch.Template("sgd", BEGIN + """
extern "C" __global__ void sgd(Table table) {
  PARAMETER
  T* all_p = table.p[own];
  const T* all_g = table.g[own];
  T* velocity = table.m[own];
  A decay = NUMBER(0), momentum = NUMBER(1), share = NUMBER(2), rate = NUMBER(3);
  for (long long i = begin; i < end; i += blockDim.x) {
    A p = (A)all_p[i], g = (A)all_g[i];
    if (decay != 0) g = p * decay + g;
    if (table.moving) {
      A v = table.first ? g : (A)velocity[i] * momentum + g * share;
      velocity[i] = (T)v;
      g = table.nesterov ? v * momentum + g : v;
    }
    all_p[i] = (T)(p - rate * g);
  }
}
""", T=launch.REAL)  # fmt: skip

ADAM = launch.Template("adam", BEGIN + """
extern "C" __global__ void adam(Table table) {
  PARAMETER
  T *all_p = table.p[own], *all_m = table.m[own], *all_v = table.v[own], *all_largest = table.largest[own];
  const T* all_g = table.g[own];
  A kept = NUMBER(0), l2 = NUMBER(1), beta1 = NUMBER(2), share1 = NUMBER(3), beta2 = NUMBER(4);
  A share2 = NUMBER(5), floor = NUMBER(6), rate = NUMBER(7);
  for (long long i = begin; i < end; i += blockDim.x) {
    A p = (A)all_p[i] * kept, g = (A)all_g[i];
    if (l2 != 0) g = g + l2 * p;
    A m = (A)all_m[i] * beta1 + g * share1, v = (A)all_v[i] * beta2 + g * g * share2;
    all_m[i] = (T)m;
    all_v[i] = (T)v;
    if (all_largest) {
      A before = (A)all_largest[i];
      v = before > v || before != before ? before : v;  // NaN stays, as in numpy.maximum
      all_largest[i] = (T)v;
    }
    all_p[i] = (T)(p - rate * (m / (sqrt(v) + floor)));
  }
}
""", T=launch.REAL)  # fmt: skip


def sgd_numbers(
    *, lr: float, momentum: float, dampening: float, weight_decay: float, **flags: Any
) -> tuple[float, ...]:
    """What the kernel reads: weight decay λ, momentum μ, 1 − dampening, learning rate."""
    return weight_decay, momentum, 1 - dampening, lr


def adam_numbers(
    *, lr: float, beta1: float, beta2: float, eps: float, l2: float, decay: float, step: int, **flags: Any
) -> tuple[float, ...]:
    """What the kernel reads: 1 − decay, l2, β₁, 1 − β₁, β₂, 1 − β₂, ε√c₂, lr √c₂/c₁ with cᵢ = 1 − βᵢᵗ."""
    root2 = math.sqrt(1 - beta2**step)
    rate = lr * root2 / (1 - beta1**step)
    return 1 - decay, l2, beta1, 1 - beta1, beta2, 1 - beta2, eps * root2, rate


def sgd_update(calls: Calls) -> None:
    """update.sgd_block of every (p, g, velocity) and its numbers, in place."""
    _update(SGD, sgd_numbers, calls)


def adam_update(calls: Calls) -> None:
    """update.adam_block of every (p, g, m, v, v_max) and its numbers, in place."""
    _update(ADAM, adam_numbers, calls)


def _update(template: launch.Template, ordered: Callable[..., tuple[float, ...]], calls: Calls) -> None:
    """Launch for parameters that agree in everything but their arrays, up to MANY at once."""
    alike: dict[Any, list[list[Array | None]]] = {}
    written: list[tuple[Array, Array]] = []
    givens = {}
    for arrays, numbers in calls:
        if not arrays[0].size:
            continue
        given = numbers.get("given")
        givens[id(given)] = given
        flags = numbers.get("first", False), numbers.get("nesterov", False), numbers.get("momentum", 0) != 0
        values = () if given is not None else ordered(**numbers)
        key = (arrays[0].dtype.char, id(given), values, flags, arrays[-1] is None)
        alike.setdefault(key, []).append(_in_order(arrays, written))
    for (char, given, values, flags, _), rows in alike.items():
        for begin in range(0, len(rows), MANY):
            blocks, table = _table(rows[begin : begin + MANY], values, givens[given], flags)
            template(char)((blocks,), (launch.THREADS,), (table,))
    for array, copy in written:
        array[...] = copy


def _in_order(arrays: Any, written: list[tuple[Array, Array]]) -> list[Array | None]:
    """The arrays, with copies of those that have another dtype or memory order than the kernel reads.

    What the kernel writes into copies is noted in `written`, to be brought back.
    """
    ready, dtype = list(arrays), arrays[0].dtype
    for i, array in enumerate(arrays):
        if array is not None and (array.dtype != dtype or not array.flags.c_contiguous):
            ready[i] = array.astype(dtype, order="C")
            if i != 1:  # the gradient is only read
                written.append((array, ready[i]))
    return ready


def _table(
    rows: list[list[Array | None]], values: tuple[float, ...], given: Array | None, flags: tuple[bool, ...]
) -> tuple[int, Any]:
    """The number of blocks, and the kernel's argument for these parameters."""
    table = np.zeros(1, TABLE)
    entry = table[0]
    for role, column in zip(ROLES, zip(*rows, strict=True), strict=False):
        entry[role][: len(rows)] = [0 if array is None else array.data.ptr for array in column]
    sizes = [row[0].size for row in rows if row[0] is not None]
    entry["size"][: len(rows)] = sizes
    entry["start"][1 : len(rows) + 1] = np.cumsum([-(-size // PIECE) for size in sizes])
    entry["number"][: len(values)] = values
    entry["given"] = 0 if given is None else given.data.ptr
    entry["count"] = len(rows)
    entry["first"], entry["nesterov"], entry["moving"] = flags
    return int(entry["start"][len(rows)]), table

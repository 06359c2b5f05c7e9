"""The CuPy namespace: the same names as cpu.py on an NVIDIA GPU. Only this folder imports cupy.

Where a definition takes a launch for every offset of a window or several for every parameter, a kernel in
CUDA C stands in (windows*.py, updates.py, rows.py); else the plain definitions serve, in which every line
is a launch on whole arrays. Rules are read on arrays that wait, so that their lines share launches
(lazy*.py). CuPy 13 and 14 are supported; nothing of cupy.cudnn is used.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import cupy
from cupy import (
    abs,
    add,
    arange,
    argmax,
    argmin,
    argsort,
    asarray,
    broadcast_to,
    ceil,
    concatenate,
    cos,
    divide,
    empty,
    empty_like,
    equal,
    exp,
    expand_dims,
    expm1,
    flip,
    floor,
    full,
    greater,
    greater_equal,
    isfinite,
    isnan,
    less,
    less_equal,
    log,
    log1p,
    logical_and,
    logical_not,
    logical_or,
    logical_xor,
    max,
    maximum,
    min,
    minimum,
    moveaxis,
    multiply,
    ndarray,
    negative,
    not_equal,
    ones,
    ones_like,
    pad,
    power,
    prod,
    reshape,
    round,
    sign,
    sin,
    sqrt,
    squeeze,
    stack,
    subtract,
    swapaxes,
    tanh,
    transpose,
    where,
    zeros,
    zeros_like,
)
from cupyx.scipy.special import erf as _erf

from ..kernels import normalization, plain
from . import devices, graph
from .ahead import Lane as Lane
from .ahead import from_host as from_host
from .distinct import distinct_rows as distinct_rows
from .errors import explain as explain
from .errors import why_unusable as why_unusable
from .graph import Recorder as Recorder
from .graph import renumber as renumber
from .lazy_names import computed, fill, read
from .philox import philox_uniform as philox_uniform
from .products import einsum as einsum
from .products import matmul as matmul
from .rows import add_rows, take_rows
from .updates import adam_numbers as adam_numbers
from .updates import adam_update, sgd_update
from .updates import sgd_numbers as sgd_numbers
from .windows import col2im, im2col
from .windows_conv import conv2d, conv2d_input_grad, conv2d_weight_grad
from .windows_pool import (
    avg_pool2d,
    avg_pool2d_adjoint,
    max_pool2d,
    max_pool2d_gather,
    max_pool2d_scatter,
)

cumsum = partial(plain.cumsum, cupy)
elementwise = partial(plain.elementwise, cupy)
elementwise_sum = partial(plain.elementwise_sum, cupy)
matrixwise = partial(plain.matrixwise, cupy)
mean = computed("mean")
normalize = partial(normalization.fused_normalize, elementwise)
normalize_grad = partial(normalization.fused_normalize_grad, elementwise)
rowwise = partial(plain.rowwise, cupy)
scan = partial(plain.scan, cupy)
scatter_add = partial(plain.scatter_add, cupy)
sum = computed("sum")


def erf(x: Any) -> Any:
    """2/√π ∫₀ˣ e⁻ᵗ² dt in the dtype of x (CuPy computes float16 in float64)."""
    return _erf(x).astype(x.dtype, copy=False)


captures = True  # a step can be recorded, and done again without Python


fill(globals())

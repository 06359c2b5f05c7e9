"""The NumPy namespace: the array names that rules may use, and the kernels tuned for a CPU.

gpu/, the symbolic reading and the tape offer the same names with the same parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from numpy import (
    abs,
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
    log1p,
    logical_and,
    logical_not,
    logical_or,
    logical_xor,
    max,
    min,
    moveaxis,
    ndarray,
    negative,
    not_equal,
    ones,
    ones_like,
    pad,
    power,
    prod,
    round,
    sign,
    sin,
    squeeze,
    stack,
    subtract,
    swapaxes,
    transpose,
    zeros,
    zeros_like,
)

from .kernels.batch_last import reshape
from .kernels.convolution import (
    col2im,
    conv2d,
    conv2d_input_grad,
    conv2d_weight_grad,
    im2col,
)
from .kernels.distinct import distinct_rows as distinct_rows  # for an optimizer
from .kernels.elementwise import erf
from .kernels.fusion import elementwise, elementwise_sum
from .kernels.matrixwise import matrixwise
from .kernels.normalization import normalize, normalize_grad
from .kernels.pooling import (
    avg_pool2d,
    avg_pool2d_adjoint,
    max_pool2d,
    max_pool2d_gather,
    max_pool2d_scatter,
)
from .kernels.products import matmul
from .kernels.reduction import cumsum, einsum, mean, sum
from .kernels.rows import rowwise
from .kernels.scan import scan
from .kernels.scatter import add_rows, scatter_add, take_rows
from .kernels.ufuncs import add, exp, log, maximum, minimum, multiply, sqrt, tanh, where
from .kernels.update import adam_update, sgd_update
from .philox import philox_uniform as philox_uniform  # for masks: no rule draws

T = TypeVar("T")

read = None  # rules are called with arrays as they are; a namespace may read them in another way

captures = False  # a step cannot be recorded


class Lane:
    """The way of batches to where is computed: on NumPy they are there."""

    def prepared(self, arrays: Any) -> Any:
        """The arrays, ready for the way."""
        return arrays

    def ahead(self, enter: Callable[[Any], T], batches: Iterator[Any]) -> Iterator[T]:
        """`enter(batch)` of each, when it is asked for."""
        return map(enter, batches)


__all__ = [
    "abs", "adam_update", "add", "add_rows", "arange", "argmax", "argmin", "argsort", "asarray",
    "avg_pool2d", "avg_pool2d_adjoint", "broadcast_to", "ceil", "col2im", "concatenate", "conv2d",
    "conv2d_input_grad", "conv2d_weight_grad", "cos", "cumsum", "divide", "einsum", "elementwise",
    "elementwise_sum", "empty", "empty_like", "equal", "erf", "exp", "expand_dims", "expm1", "flip",
    "floor", "full", "greater", "greater_equal", "im2col", "isfinite", "isnan", "less", "less_equal", "log",
    "log1p", "logical_and", "logical_not", "logical_or", "logical_xor", "matmul", "matrixwise", "max",
    "max_pool2d", "max_pool2d_gather", "max_pool2d_scatter", "maximum", "mean", "min", "minimum",
    "moveaxis", "multiply", "ndarray", "negative", "normalize", "normalize_grad", "not_equal", "ones",
    "ones_like", "pad", "power", "prod", "reshape", "round", "rowwise", "scan",
    "scatter_add", "sgd_update", "sign", "sin", "sqrt", "squeeze", "stack", "subtract", "sum", "swapaxes",
    "take_rows", "tanh", "transpose", "where", "zeros", "zeros_like",
]  # fmt: skip

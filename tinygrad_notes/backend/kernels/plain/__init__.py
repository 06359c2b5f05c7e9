"""The plain definition of every kernel: what the tuned ones must equal.

The first argument is the array library (NumPy or CuPy); arrays of symbols work wherever the
mathematics needs no comparison. A kernel loops at most over the kh·kw offsets of its window, over
time, or over the terms of a series.
"""

from .arrays import (
    add_rows,
    cumsum,
    einsum,
    elementwise,
    elementwise_sum,
    erf,
    matrixwise,
    mean,
    rowwise,
    scatter_add,
    sum,
    take_rows,
)
from .convolution import col2im, conv2d, conv2d_input_grad, conv2d_weight_grad, im2col
from .normalization import normalize, normalize_grad
from .pooling import (
    avg_pool2d,
    avg_pool2d_adjoint,
    check_index,
    first_inside,
    index_dtype,
    max_pool2d,
    max_pool2d_gather,
    max_pool2d_scatter,
)
from .scan import check_times, scan
from .update import adam, sgd

__all__ = [
    "adam", "add_rows", "avg_pool2d", "avg_pool2d_adjoint", "check_index", "check_times", "col2im", "conv2d",
    "conv2d_input_grad", "conv2d_weight_grad", "cumsum", "einsum", "elementwise", "elementwise_sum", "erf",
    "first_inside", "im2col", "index_dtype", "matrixwise", "max_pool2d", "max_pool2d_gather",
    "max_pool2d_scatter", "mean", "normalize", "normalize_grad", "rowwise", "scan", "scatter_add", "sgd",
    "sum", "take_rows",
]  # fmt: skip

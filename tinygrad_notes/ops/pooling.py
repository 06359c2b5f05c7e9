"""Pooling: the largest or the mean value of each window, and the adjoints."""

from __future__ import annotations

import numpy as np

from ..autograd import Function, Tensor
from .arguments import as_tensor, check_real
from .linear import einsum


class MaxPool2d(Function):
    """y = the largest value of each window. The gradient goes to the first largest in scan order.

    `index` is the position in the window; it is an integer, so y is linear in x around every point
    without ties, and the backward is the adjoint of gathering x at `index`.
    """

    saves = ("pooled", "index")

    def save(xp, x, *, kernel, stride, padding, dilation, ceil_mode):
        return xp.max_pool2d(x, kernel, stride, padding, dilation, ceil_mode)

    def forward(xp, pooled):
        return pooled

    def backward(xp, gy, index, x_shape, *, kernel, stride, padding, dilation):
        return xp.max_pool2d_scatter(gy, index, x_shape, kernel, stride, padding, dilation)


class MaxPool2dScatter(Function):
    """Each g added at position `index` of its window in zeros of `x_shape`."""

    def forward(xp, g, *, index, x_shape, kernel, stride, padding, dilation):
        return xp.max_pool2d_scatter(g, index, x_shape, kernel, stride, padding, dilation)

    def backward(xp, gy, *, index, kernel, stride, padding, dilation):
        return xp.max_pool2d_gather(gy, index, kernel, stride, padding, dilation)


class MaxPool2dGather(Function):
    """y = the value of x at position `index` of each window; the adjoint of the scatter."""

    def forward(xp, x, *, index, kernel, stride, padding, dilation):
        return xp.max_pool2d_gather(x, index, kernel, stride, padding, dilation)

    def backward(xp, gy, x_shape, *, index, kernel, stride, padding, dilation):
        return xp.max_pool2d_scatter(gy, index, x_shape, kernel, stride, padding, dilation)


class AvgPool2d(Function):
    """y = the mean of each window (linear)."""

    def forward(xp, x, *, kernel, stride, padding, ceil_mode, count_include_pad):
        return xp.avg_pool2d(x, kernel, stride, padding, ceil_mode, count_include_pad)

    def backward(xp, gy, x_shape, *, kernel, stride, padding, ceil_mode, count_include_pad):
        return xp.avg_pool2d_adjoint(gy, x_shape, kernel, stride, padding, ceil_mode, count_include_pad)


class AvgPool2dAdjoint(Function):
    """Each g spread evenly over its window; the adjoint of the mean."""

    def forward(xp, g, *, x_shape, kernel, stride, padding, ceil_mode, count_include_pad):
        return xp.avg_pool2d_adjoint(g, x_shape, kernel, stride, padding, ceil_mode, count_include_pad)

    def backward(xp, gy, *, kernel, stride, padding, ceil_mode, count_include_pad):
        return xp.avg_pool2d(gy, kernel, stride, padding, ceil_mode, count_include_pad)


def max_pool2d(x, kernel, stride, padding, dilation, ceil_mode) -> Tensor:
    """The largest value of each window; (vertical, horizontal) pairs of numbers."""
    return MaxPool2d.apply(
        x, kernel=kernel, stride=stride, padding=padding, dilation=dilation, ceil_mode=ceil_mode
    )


def max_pool2d_scatter(gy, index, x_shape, kernel, stride, padding, dilation) -> Tensor:
    """The adjoint of `max_pool2d_gather`."""
    return MaxPool2dScatter.apply(
        gy, index=index, x_shape=tuple(x_shape), kernel=kernel, stride=stride, padding=padding,
        dilation=dilation,
    )  # fmt: skip


def max_pool2d_gather(x, index, kernel, stride, padding, dilation) -> Tensor:
    """The value at position `index` of each window."""
    return MaxPool2dGather.apply(
        x, index=index, kernel=kernel, stride=stride, padding=padding, dilation=dilation
    )


def avg_pool2d(x, kernel, stride, padding, ceil_mode, count_include_pad) -> Tensor:
    """The mean of each window; (vertical, horizontal) pairs of numbers."""
    return AvgPool2d.apply(
        x, kernel=kernel, stride=stride, padding=padding, ceil_mode=ceil_mode,
        count_include_pad=count_include_pad,
    )  # fmt: skip


def avg_pool2d_adjoint(gy, x_shape, kernel, stride, padding, ceil_mode, count_include_pad) -> Tensor:
    """The adjoint of `avg_pool2d`."""
    return AvgPool2dAdjoint.apply(
        gy, x_shape=tuple(x_shape), kernel=kernel, stride=stride, padding=padding,
        ceil_mode=ceil_mode, count_include_pad=count_include_pad,
    )  # fmt: skip


def adaptive_avg_pool2d(input, output_size) -> Tensor:
    """Images (N, C, H, W) as means over OH × OW windows; window i spans ⌊iH/OH⌋ ... ⌈(i+1)H/OH⌉.

    `output_size`: one length or (OH, OW); None keeps that of the input. Windows overlap where OH does
    not divide H. (1, 1) is global average pooling.
    """
    x = as_tensor(input)
    if x.ndim != 4 or 0 in x.shape[1:]:
        raise ValueError(f"adaptive_avg_pool2d: images must be (N, C, H, W), got {x.shape}")
    check_real("adaptive_avg_pool2d", "images", x)
    both = output_size if isinstance(output_size, tuple | list) else (output_size, output_size)
    if len(both) != 2 or not all(n is None or (isinstance(n, int | np.integer) and n > 0) for n in both):
        raise ValueError(
            f"adaptive_avg_pool2d: output_size must be positive integers or None, got {output_size!r}"
        )
    size = tuple(n if want is None else want for n, want in zip(x.shape[2:], both, strict=True))
    if size == x.shape[2:]:
        return x
    if size == (1, 1):
        return x.mean(axis=(2, 3), keepdims=True)
    if all(n % want == 0 for n, want in zip(x.shape[2:], size, strict=True)):
        window = tuple(n // want for n, want in zip(x.shape[2:], size, strict=True))
        return avg_pool2d(x, window, window, (0, 0), False, True)
    down, across = (_means(n, want).astype(x.dtype) for n, want in zip(x.shape[2:], size, strict=True))
    return einsum("nciw,jw->ncij", einsum("nchw,ih->nciw", x, down), across)


def _means(length: int, outputs: int) -> np.ndarray:
    """The matrix (outputs, length) whose row i takes the mean over window i."""
    i, at = np.arange(outputs)[:, None], np.arange(length)
    inside = (at >= i * length // outputs) & (at < -(-(i + 1) * length // outputs))
    return inside / inside.sum(axis=1, keepdims=True)

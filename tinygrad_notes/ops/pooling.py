"""Pooling: the largest or the mean value of each window, and the adjoints."""

from __future__ import annotations

from ..autograd import Function, Tensor


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

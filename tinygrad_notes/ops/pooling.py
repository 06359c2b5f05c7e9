"""Pooling: the largest or the mean value of each window, and the adjoints.

The mean is linear, yᵢ = Σⱼ Aᵢⱼ xⱼ with Aᵢⱼ = 1/(size of window i) for the places j of the window, else 0. So

    ∂L/∂xⱼ = Σᵢ gyᵢ Aᵢⱼ         each gradient is spread evenly over its window; windows that overlap add up

The maximum picks one place j(i) of each window, yᵢ = x_j(i). Near a point without ties the places stay the
same, so there it is linear too, with Aᵢⱼ = [j = j(i)]:

    ∂L/∂xⱼ = Σᵢ gyᵢ [j = j(i)]   each gradient goes to the place of its maximum, and is added there

Among equals the first in scan order is taken: the gradient is neither split nor given twice. Places are
integers, no path leads through them, and the scatter's own adjoint is to gather at the same places.
"""

from __future__ import annotations

import bisect

import numpy as np

from .. import backend
from ..autograd import Function, Tensor
from .arguments import as_tensor, check_real, in_float32, one_or_many

Windows = tuple[tuple[int, int], ...]


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


class WindowSums(Function):
    """yᵢ = Σ x over places start ≤ j < stop of `axis`, for every (start, stop) of `windows` (linear).

    The windows i that hold place j are neighbors, so the adjoint is the same with `back` in their place.
    """

    def forward(xp, x, *, axis, windows):
        return _window_sums(xp, x, axis, windows)

    def backward(xp, gy, *, axis, back):
        return _window_sums(xp, gy, axis, back)


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


@in_float32
def avg_pool2d(x, kernel, stride, padding, ceil_mode, count_include_pad) -> Tensor:
    """The mean of each window; (vertical, horizontal) pairs of numbers."""
    return AvgPool2d.apply(
        x, kernel=kernel, stride=stride, padding=padding, ceil_mode=ceil_mode,
        count_include_pad=count_include_pad,
    )  # fmt: skip


@in_float32
def avg_pool2d_adjoint(gy, x_shape, kernel, stride, padding, ceil_mode, count_include_pad) -> Tensor:
    """The adjoint of `avg_pool2d`."""
    return AvgPool2dAdjoint.apply(
        gy, x_shape=tuple(x_shape), kernel=kernel, stride=stride, padding=padding,
        ceil_mode=ceil_mode, count_include_pad=count_include_pad,
    )  # fmt: skip


@one_or_many
@in_float32
def adaptive_avg_pool2d(input, output_size) -> Tensor:
    """Images (N, C, H, W) as means over OH × OW windows; window i spans ⌊iH/OH⌋ ... ⌈(i+1)H/OH⌉.

    One image (C, H, W) gives one. `output_size`: one length or (OH, OW); None keeps that of the input.
    Windows overlap where OH does not divide H. (1, 1) is global average pooling.
    """
    x = as_tensor(input)
    if x.ndim != 4 or 0 in x.shape[1:]:
        raise ValueError(f"adaptive_avg_pool2d: images must be (N, C, H, W) or (C, H, W), got {x.shape}")
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
    for axis, want in zip((2, 3), size, strict=True):
        windows, back = _adaptive_windows(x.shape[axis], want)
        x = WindowSums.apply(x, axis=axis, windows=windows, back=back)
        shape = [1] * axis + [want] + [1] * (3 - axis)
        sizes = np.array([stop - start for start, stop in windows], x.dtype).reshape(shape)
        x = x / backend.each_step(sizes.copy)  # from the host, in a captured step as well
    return x


def _adaptive_windows(length: int, outputs: int) -> tuple[Windows, Windows]:
    """The (start, stop) of each output's pixels, and of each pixel's outputs."""
    windows = tuple((i * length // outputs, -(-(i + 1) * length // outputs)) for i in range(outputs))
    starts, stops = zip(*windows, strict=True)
    back = tuple((bisect.bisect_right(stops, j), bisect.bisect_right(starts, j)) for j in range(length))
    return windows, back


def _window_sums(xp, x, axis: int, windows: Windows):
    """Slices added up, not a product with ones and zeros: 0 · ∞ would be NaN."""
    before = (slice(None),) * axis
    sums = [xp.sum(x[(*before, slice(start, stop))], axis=axis, keepdims=True) for start, stop in windows]
    return xp.concatenate(sums, axis=axis)

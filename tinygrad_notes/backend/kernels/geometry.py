"""The integer side of sliding windows: output sizes, window slices, and the checks that keep a wrong
shape from becoming a wrong number.

Along one axis, with size n, kernel k, stride s, padding p and dilation d, the window of output o covers
the inputs  o·s − p + i·d,  i = 0 … k−1,  so

    out = ⌊(n + 2p − d(k−1) − 1) / s⌋ + 1.

Every pair is (height, width). Every error is a ValueError naming the operation and the shapes.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

Pair = tuple[int, int]
Shape = tuple[int, ...]


class Conv(NamedTuple):
    """Everything about a convolution but its numbers: y (N, O, *out) of x (N, C, H, W)."""

    x: Shape
    w: Shape
    out: Pair
    stride: Pair
    padding: Pair
    dilation: Pair
    groups: int


@functools.lru_cache(maxsize=1024)
def conv_geometry(
    op: str,
    x_shape: Shape,
    w_shape: Shape,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
    groups: int,
) -> Conv:
    """The checked geometry of a convolution of x (N, C, H, W) with w (O, C/groups, kh, kw)."""
    if len(x_shape) != 4 or len(w_shape) != 4:
        raise ValueError(
            f"{op}: x must be (N, C, H, W) and w (O, C/groups, kh, kw); got {x_shape}, {w_shape}"
        )
    channels, outputs = x_shape[1], w_shape[0]
    if groups < 1 or channels % groups or outputs % groups:
        raise ValueError(
            f"{op}: groups={groups} must divide the {channels} channels of x {x_shape} "
            f"and the {outputs} of w {w_shape}"
        )
    if w_shape[1] * groups != channels:
        raise ValueError(
            f"{op}: x {x_shape} has {channels} channels, but w {w_shape} with groups={groups} "
            f"reads {w_shape[1] * groups}; w must be (O, {channels // groups}, kh, kw)"
        )
    out = window_size(op, x_shape, (w_shape[2], w_shape[3]), stride, padding, dilation)
    return Conv(tuple(x_shape), tuple(w_shape), out, stride, padding, dilation, groups)


def window_size(op: str, x_shape: Shape, kernel: Pair, stride: Pair, padding: Pair, dilation: Pair) -> Pair:
    """Number of windows (OH, OW) that fit wholly in the padded input."""
    _check_steps(op, x_shape, kernel, stride, padding, dilation)
    out = []
    for n, k, s, p, d in zip(x_shape[2:], kernel, stride, padding, dilation, strict=True):
        span = d * (k - 1) + 1
        if n + 2 * p < span:
            raise ValueError(
                f"{op}: kernel {kernel} with dilation {dilation} spans {span}, more than the "
                f"padded input: {n} + 2·{p} (x {x_shape}, padding {padding}); pad more"
            )
        out.append((n + 2 * p - span) // s + 1)
    return out[0], out[1]


@functools.lru_cache(maxsize=1024)
def pool_size(
    op: str,
    x_shape: Shape,
    kernel: Pair,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
    ceil_mode: bool,
) -> Pair:
    """Output (OH, OW) of a pooling; `ceil_mode` keeps a last window that hangs over the far edge,
    as long as it starts inside the input or its near padding (PyTorch's rule)."""
    _check_steps(op, x_shape, kernel, stride, padding, dilation)
    out = []
    for n, k, s, p, d in zip(x_shape[2:], kernel, stride, padding, dilation, strict=True):
        span = d * (k - 1) + 1
        if 2 * p > span:
            raise ValueError(
                f"{op}: padding {padding} is more than half of kernel {kernel} with dilation "
                f"{dilation}: some windows would hold only padding; pad the input first"
            )
        size = (n + 2 * p - span + (s - 1 if ceil_mode else 0)) // s + 1
        if ceil_mode and (size - 1) * s >= n + p:
            size -= 1
        if size < 1:
            raise ValueError(
                f"{op}: kernel {kernel} with dilation {dilation} is larger than the padded input "
                f"(x {x_shape}, padding {padding}); use a smaller kernel"
            )
        out.append(size)
    return out[0], out[1]


def _check_steps(op: str, x_shape: Shape, kernel: Pair, stride: Pair, padding: Pair, dilation: Pair) -> None:
    if len(x_shape) != 4:
        raise ValueError(f"{op}: the input must be (N, C, H, W); got shape {x_shape}")
    for name, pair, least in (
        ("kernel", kernel, 1),
        ("stride", stride, 1),
        ("padding", padding, 0),
        ("dilation", dilation, 1),
    ):
        if len(pair) != 2 or min(pair) < least:
            raise ValueError(
                f"{op}: {name} must be two integers (h, w) of at least {least}; got {pair} for x {x_shape}"
            )


def expect_shape(op: str, name: str, array: Any, shape: Shape) -> None:
    """Raise unless `array` has the one shape that the other arguments imply."""
    if tuple(array.shape) != tuple(shape):
        raise ValueError(f"{op}: {name} must have shape {tuple(shape)}; got {tuple(array.shape)}")


def window(x: Any, i: int, j: int, out: Pair, stride: Pair, dilation: Pair) -> Any:
    """The view x[..., o·s + (i, j)·d] of a padded (…, H, W): offset (i, j) of every window."""
    top, left = i * dilation[0], j * dilation[1]
    return x[
        ...,
        top : top + (out[0] - 1) * stride[0] + 1 : stride[0],
        left : left + (out[1] - 1) * stride[1] + 1 : stride[1],
    ]


def pool_margin(x_shape: Shape, out: Pair, kernel: Pair, stride: Pair, padding: Pair, dilation: Pair) -> Pair:
    """Rows and columns to add at the far edge so that every window of a pooling is inside."""
    far = []
    for n, o, k, s, p, d in zip(x_shape[2:], out, kernel, stride, padding, dilation, strict=True):
        far.append(max(0, (o - 1) * s + d * (k - 1) + 1 - n - p))
    return far[0], far[1]


def window_counts(
    x_shape: Shape, out: Pair, kernel: Pair, stride: Pair, padding: Pair, include_pad: bool
) -> tuple[list[int], list[int]]:
    """Rows and columns that each pooling window averages over: PyTorch's divisor is rows × columns.

    With `include_pad` the near and far padding count, what hangs beyond them (ceil mode) does not.
    """
    counts = []
    for n, o, k, s, p in zip(x_shape[2:], out, kernel, stride, padding, strict=True):
        edge = p if include_pad else 0
        counts.append([min(t * s - p + k, n + edge) - max(t * s - p, -edge) for t in range(o)])
    return counts[0], counts[1]

"""Convolution and pooling of images as they are called: arguments of many forms are read and checked here.

Each takes one image (C, H, W) as well and gives one. The rules below them (convolution.py, pooling.py) take
pairs of numbers that fit.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..autograd import Tensor
from . import convolution, pooling
from .arguments import as_tensor, check_real, conv_padding, mixed_dtypes, one_or_many, pair
from .shape import pad


@one_or_many
def conv2d(
    input: Any, weight: Any, bias: Any = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1,
    groups: int = 1,
) -> Tensor:  # fmt: skip
    """Cross-correlation of images (N, C, H, W) with weight (O, C/groups, kh, kw), plus bias (O,).

    Output length ⌊(H + 2·padding − dilation·(kh − 1) − 1) / stride⌋ + 1. `padding` may be "valid", or
    "same" for stride 1 (an odd border goes to the bottom and right, as in torch).

    Raises ValueError if the shapes do not fit, TypeError unless all have one dtype.
    """
    x, w = as_tensor(input), as_tensor(weight)
    bias = None if bias is None else as_tensor(bias)
    op = "conv2d"
    _check_images(op, x, w, bias)
    _check_weight(op, w, groups)
    stride, dilation = pair(op, "stride", stride, 1), pair(op, "dilation", dilation, 1)
    padding = conv_padding(op, padding, stride)
    if padding == "same":
        total = [d * (k - 1) for d, k in zip(dilation, w.shape[2:], strict=True)]
        if any(t % 2 for t in total):
            x = pad(x, ((0, 0), (0, 0), (0, total[0] % 2), (0, total[1] % 2)))
        padding = (total[0] // 2, total[1] // 2)
    padding = (0, 0) if padding == "valid" else padding
    return convolution.conv2d(x, w, bias, stride, padding, dilation, groups)


@one_or_many
def conv_transpose2d(
    input: Any, weight: Any, bias: Any = None, stride: Any = 1, padding: Any = 0,
    output_padding: Any = 0, groups: int = 1, dilation: Any = 1,
) -> Tensor:  # fmt: skip
    """The adjoint of `conv2d`: input (N, I, H, W), weight (I, O/groups, kh, kw), bias (O,).

    Output length (H − 1)·stride − 2·padding + dilation·(kh − 1) + 1 + output_padding, where
    output_padding is below stride or dilation.

    Raises ValueError if the shapes do not fit, TypeError unless all have one dtype.
    """
    x, w = as_tensor(input), as_tensor(weight)
    bias = None if bias is None else as_tensor(bias)
    op = "conv_transpose2d"
    _check_images(op, x, w, bias)
    _check_weight(op, w, groups)
    stride, dilation = pair(op, "stride", stride, 1), pair(op, "dilation", dilation, 1)
    padding, extra = pair(op, "padding", padding), pair(op, "output_padding", output_padding)
    if w.shape[0] != x.shape[1] or w.shape[0] % groups:
        raise ValueError(
            f"{op}: weight must be (I, O/groups, kh, kw) with groups = {groups} dividing I, got {w.shape} "
            f"for {x.shape}"
        )
    channels = w.shape[1] * groups
    if bias is not None and bias.shape != (channels,):
        raise ValueError(f"{op}: bias must be (O,) = ({channels},), got {bias.shape}")
    if any(e >= max(s, d) for e, s, d in zip(extra, stride, dilation, strict=True)):
        raise ValueError(f"{op}: output_padding {extra} must be below stride {stride} or dilation {dilation}")
    size = tuple(
        (n - 1) * s - 2 * p + d * (k - 1) + e + 1
        for n, s, p, d, k, e in zip(x.shape[2:], stride, padding, dilation, w.shape[2:], extra, strict=True)
    )
    if min(size) < 1:
        raise ValueError(f"{op}: padding {padding} leaves nothing, the output would be {size}")
    more = [e // s for e, s in zip(extra, stride, strict=True)]
    if any(more):  # room for another window of the convolution: nothing comes from there
        x = pad(x, ((0, 0), (0, 0), (0, more[0]), (0, more[1])))
    y = convolution.conv2d_input_grad(x, w, (x.shape[0], channels, *size), stride, padding, dilation, groups)
    return y if bias is None else y + bias.reshape(1, -1, 1, 1)


@one_or_many
def max_pool2d(
    input: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1,
    ceil_mode: bool = False,
) -> Tensor:  # fmt: skip
    """The largest value of each window of images (N, C, H, W); stride defaults to the window.

    Output length ⌊(H + 2·padding − dilation·(k − 1) − 1) / stride⌋ + 1, with `ceil_mode` ⌈ ⌉ where the last
    window begins inside. Padding is never chosen. Ties: the first one learns.
    """
    x = as_tensor(input)
    _check_images("max_pool2d", x)
    op = "max_pool2d"
    kernel = pair(op, "kernel_size", kernel_size, 1)
    stride = kernel if stride is None else pair(op, "stride", stride, 1)
    return pooling.max_pool2d(
        x, kernel, stride, pair(op, "padding", padding), pair(op, "dilation", dilation, 1), ceil_mode
    )


@one_or_many
def avg_pool2d(
    input: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Tensor:  # fmt: skip
    """The mean of each window of images (N, C, H, W); stride defaults to the window.

    Padding counts as zeros, or with `count_include_pad=False` not at all. Output length as `max_pool2d`'s.
    """
    x = as_tensor(input)
    _check_images("avg_pool2d", x)
    op = "avg_pool2d"
    kernel = pair(op, "kernel_size", kernel_size, 1)
    stride = kernel if stride is None else pair(op, "stride", stride, 1)
    return pooling.avg_pool2d(x, kernel, stride, pair(op, "padding", padding), ceil_mode, count_include_pad)


def _check_images(op: str, x: Tensor, weight: Tensor | None = None, bias: Tensor | None = None) -> None:
    if x.ndim != 4:
        raise ValueError(f"{op}: images must be (N, C, H, W) or (C, H, W), got {x.shape}")
    check_real(op, "images", x)
    if any(p is not None and p.dtype != x.dtype for p in (weight, bias)):
        raise mixed_dtypes(op, x, weight=weight, bias=bias)


def _check_weight(op: str, weight: Tensor, groups: int) -> None:
    if weight.ndim != 4 or 0 in weight.shape:
        raise ValueError(f"{op}: weight must have four axes, none of them empty, got {weight.shape}")
    if not isinstance(groups, int | np.integer) or groups < 1:
        raise ValueError(f"{op}: groups must be a positive integer, got {groups!r}")

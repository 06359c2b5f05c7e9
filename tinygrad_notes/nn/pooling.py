"""Pooling to a given size of the output, whatever the size of the input."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..autograd import Tensor
from ..ops.arguments import as_tensor, check_real
from ..ops.linear import einsum
from ..ops.pooling import avg_pool2d
from .module import Module


def adaptive_avg_pool2d(input: Any, output_size: Any) -> Tensor:
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


class AdaptiveAvgPool2d(Module):
    """The mean over windows that yield `output_size`; see `adaptive_avg_pool2d`."""

    def __init__(self, output_size: Any) -> None:
        self.output_size = output_size

    def forward(self, x: Any) -> Tensor:
        return adaptive_avg_pool2d(x, self.output_size)

    def extra_repr(self) -> str:
        return f"output_size={self.output_size}"

"""1×1 convolution: a matrix product over the channels of every pixel, and nothing else.

A stride only drops pixels first. With the channels last in memory the image already is the matrix
(pixels, C); it is copied to that only where it is not.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .blocking import Array
from .geometry import Conv, Shape
from .products import matmul


def can(conv: Conv, dtype: np.dtype[Any]) -> bool:
    """1×1 without padding."""
    return conv.w[2:] == (1, 1) and conv.padding == (0, 0)


def forward(x: Array, w: Array, b: Array | None, conv: Conv) -> Array:
    """y = x wᵀ per pixel: x (N, C, H, W), w (O, C, 1, 1) → (N, O, OH, OW), channels last."""
    y = matmul(_pixels(_visited(x, conv)), w[:, :, 0, 0].T)
    if b is not None:
        y += b
    return _image(y, (x.shape[0], w.shape[0], *conv.out))


def input_grad(gy: Array, w: Array, conv: Conv) -> Array:
    """gx = gy w per pixel; zero at the pixels that the stride skipped."""
    n, c, h, wd = conv.x
    g = _image(matmul(_pixels(gy), w[:, :, 0, 0]), (n, c, *gy.shape[2:]))
    if conv.stride == (1, 1):
        return g
    gx = np.zeros((n, h, wd, c), dtype=gy.dtype).transpose(0, 3, 1, 2)
    _visited(gx, conv)[...] = g
    return gx


def weight_grad(gy: Array, x: Array, conv: Conv) -> Array:
    """gw = Σ over pixels of gyᵀ x, (O, C, 1, 1)."""
    return matmul(_pixels(gy).T, _pixels(_visited(x, conv)))[:, :, None, None]


def _visited(x: Array, conv: Conv) -> Array:
    """The view of the pixels that the stride does not skip."""
    return x[:, :, :: conv.stride[0], :: conv.stride[1]]


def _pixels(x: Array) -> Array:
    """x (N, C, H, W) → (N·H·W, C), with no copy where the channels are last in memory."""
    return x.transpose(0, 2, 3, 1).reshape(-1, x.shape[1])


def _image(pixels: Array, shape: Shape) -> Array:
    n, c, h, w = shape
    return pixels.reshape(n, h, w, c).transpose(0, 3, 1, 2)

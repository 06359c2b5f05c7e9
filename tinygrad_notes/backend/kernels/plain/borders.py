"""Borders around images: rows and columns added before a kernel walks its windows, and cut off after it."""

from __future__ import annotations

from typing import Any

from ..geometry import Pair, Shape

Array = Any


def pad(np: Any, x: Array, near: Pair, far: Pair, value: float) -> Array:
    """x with near/far rows and columns of `value` around its last two axes."""
    if near == far == (0, 0):
        return x
    n, c, h, w = x.shape
    padded = np.full((n, c, near[0] + h + far[0], near[1] + w + far[1]), value, dtype=x.dtype)
    padded[:, :, near[0] : near[0] + h, near[1] : near[1] + w] = x
    return padded


def padded_zeros(np: Any, x_shape: Shape, near: Pair, far: Pair, dtype: Any) -> Array:
    n, c, h, w = x_shape
    return np.zeros((n, c, near[0] + h + far[0], near[1] + w + far[1]), dtype=dtype)


def crop(padded: Array, x_shape: Shape, near: Pair) -> Array:
    return padded[:, :, near[0] : near[0] + x_shape[2], near[1] : near[1] + x_shape[3]]

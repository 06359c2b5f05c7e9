"""Normalization with its factors put together: one product and one sum for each element, in cached blocks.

    γ (x − μ)/σ + β        = (x − μ) · scale + β                   scale = γ/σ
    (γ gy − a − x̂ b)/σ     = (x − μ) · slope + shift + gy · scale    slope = −b/σ²,  shift = −a/σ

The first argument runs a chain of element-wise operations: block by block on a CPU, at once on a GPU.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from . import fusion

Array = Any
Chain = Callable[..., Array]


def fused_normalize(
    elementwise: Chain, x: Array, mean: Array, std: Array, gamma: Array, beta: Array
) -> Array:
    """γ (x − μ)/σ + β, as plain.normalize."""
    scale = gamma.reshape(mean.shape) / std
    return elementwise(_scaled, x, mean, scale, beta.reshape(mean.shape))


def fused_normalize_grad(
    elementwise: Chain, gy: Array, x: Array, mean: Array, std: Array, gamma: Array, along_one: Array,
    along_x_hat: Array,
) -> Array:  # fmt: skip
    """(γ gy − a − x̂ b)/σ, as plain.normalize_grad."""
    scale, slope, shift = gamma.reshape(mean.shape) / std, -along_x_hat / (std * std), -along_one / std
    return elementwise(_scaled_sum, x, mean, slope, shift, gy, scale)


# In place from the first result on: a block of a large array and one intermediate stay in the cache.


def _scaled(x: Array, mean: Array, scale: Array, shift: Array) -> Array:
    """(x − μ) · scale + shift."""
    y = x - mean
    y *= scale
    y += shift
    return y


def _scaled_sum(x: Array, mean: Array, slope: Array, shift: Array, gy: Array, scale: Array) -> Array:
    """(x − μ) · slope + shift + gy · scale."""
    gx = _scaled(x, mean, slope, shift)
    gx += gy * scale
    return gx


normalize = partial(fused_normalize, fusion.elementwise)
normalize_grad = partial(fused_normalize_grad, fusion.elementwise)

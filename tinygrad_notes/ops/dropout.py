"""Dropout (Srivastava et al. 2014), inverted: scaled in training, nothing to do in evaluation.

E[mask] = p · 0 + (1 − p) · 1/(1 − p) = 1, so E[y] = x: evaluation takes the mean, without a factor. The mask
is a constant, and so y = x ∘ mask has ∂L/∂x = gy ∘ mask: what was dropped learns nothing.
"""

from __future__ import annotations

import numpy as np

from .. import backend
from ..autograd import Function, Tensor
from .arguments import as_tensor, check_real, constant, probability, stretches


class Dropout(Function):
    """y = x ∘ mask, mask = 0 with probability p, else 1/(1 − p): activations are dropped, not weights.

    The mask is an input: drawn outside, so that a gradient check sees one fixed function. It multiplies, as
    in torch: an infinite activation that is dropped becomes 0 · ∞ = NaN.
    """

    def forward(xp, x, *, mask):
        return x * mask

    def backward(xp, gy, *, mask):
        return gy * mask


def dropout(input, p: float = 0.5, training: bool = True, mask=None) -> Tensor:
    """input with each element set to 0 with probability p and the others scaled by 1/(1 − p).

    `mask` replaces the draw: an array that input is multiplied by, of its shape or stretching to it.
    """
    p = probability("dropout", "p", p)
    x = as_tensor(input)
    if not training or (p == 0 and mask is None):
        return x
    check_real("dropout", "input", x)
    if mask is None:
        mask = _draw(x.shape, p, x.dtype)
    else:
        mask = constant("dropout", "mask", mask).astype(x.dtype)
        if not stretches(mask.shape, x.shape):
            raise ValueError(f"dropout: mask {mask.shape} must have input's shape {x.shape} or stretch to it")
    return Dropout.apply(x, mask=mask)


def _draw(shape: tuple[int, ...], p: float, dtype):
    """0 with probability p, else 1/(1 − p). The key is drawn on the host: one seed, one mask everywhere."""
    xp = backend.xp
    keep = xp.greater_equal(xp.philox_uniform(backend.each_step(_key), shape), p)
    with np.errstate(over="ignore"):  # ∞ in float16
        scale = float(np.asarray(1 / (1 - p) if p < 1 else 0.0).astype(dtype))
    if scale < np.inf:
        mask = keep.astype(dtype)
        mask *= scale
        return mask
    return xp.where(keep, xp.full((), scale, dtype), xp.zeros((), dtype))


def _key() -> np.ndarray:
    """128 bits of the package's generator."""
    return backend.rng().bit_generator.random_raw(2)

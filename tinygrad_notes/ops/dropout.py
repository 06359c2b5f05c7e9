"""Dropout (Srivastava et al. 2014), inverted: scaled in training, nothing to do in evaluation."""

from __future__ import annotations

import numpy as np

from .. import backend
from ..autograd import Function, Tensor
from .shape import as_tensor


class Dropout(Function):
    """y = x ∘ mask, mask = 0 with probability p, else 1/(1 − p): activations are dropped, not weights.

    The mask is an input: drawn outside, so that a gradient check sees one fixed function.
    """

    def forward(xp, x, *, mask):
        return x * mask

    def backward(xp, gy, *, mask):
        return gy * mask


def dropout(x, p: float = 0.5, training: bool = True, mask=None) -> Tensor:
    """x with each element set to 0 with probability p and the others scaled by 1/(1 − p)."""
    if not 0 <= p <= 1:
        raise ValueError(f"dropout: p is a probability, got {p}")
    x = as_tensor(x)
    if not training or (p == 0 and mask is None):
        return x
    if mask is None:
        mask = dropout_mask(x.shape, p, x.dtype)
    return Dropout.apply(x, mask=mask)


def dropout_mask(shape, p: float, dtype=np.float32):
    """An array of 0 (probability p) and 1/(1 − p), drawn from the package's generator."""
    keep = backend.rng().random(shape, dtype=np.float32) >= p
    return backend.asarray(keep.astype(dtype) * (1 / (1 - p) if p < 1 else 0.0), dtype)

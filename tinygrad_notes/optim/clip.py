"""Limits on gradients."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from .. import backend
from ..autograd import Tensor
from ..ops.arguments import number


def clip_grad_norm_(parameters: Iterable[Any] | Tensor, max_norm: float) -> Tensor:
    """Scale all gradients together so that their global L2 norm is at most `max_norm`.

    Returns the norm before clipping, of float16 gradients in float32, which their squares would leave.
    Pascanu et al. 2013. The comparison stays on the device.
    """
    max_norm = number("clip_grad_norm_", "max_norm", max_norm)
    if max_norm <= 0:
        raise ValueError(f"clip_grad_norm_: max_norm must be positive, got {max_norm}")
    xp = backend.xp
    owners = [p for p in _listed(parameters) if p.grad is not None]
    if not owners:
        return Tensor._wrap(xp.zeros((), np.float32))
    wide = [p.grad._data.astype(np.promote_types(p.dtype, np.float32), copy=False) for p in owners]
    squares = [xp.sum(g * g) for g in wide]
    norm = xp.sqrt(xp.sum(xp.stack([xp.asarray(s) for s in squares])))
    factor = xp.minimum(max_norm / (norm + 1e-6), 1.0)
    for p in owners:
        p.grad = Tensor._wrap((p.grad._data * factor).astype(p.dtype))
    return Tensor._wrap(xp.asarray(norm))


def clip_grad_value_(parameters: Iterable[Any] | Tensor, clip_value: float) -> None:
    """Limit every element of every gradient to [−clip_value, clip_value]."""
    clip_value = number("clip_grad_value_", "clip_value", clip_value)
    if clip_value <= 0:
        raise ValueError(f"clip_grad_value_: clip_value must be positive, got {clip_value}")
    xp = backend.xp
    for p in _listed(parameters):
        if p.grad is not None:
            limited = xp.minimum(xp.maximum(p.grad._data, -clip_value), clip_value)
            p.grad = Tensor._wrap(xp.asarray(limited))


def _listed(parameters: Iterable[Any] | Tensor) -> list[Any]:
    return [parameters] if isinstance(parameters, Tensor) else list(parameters)

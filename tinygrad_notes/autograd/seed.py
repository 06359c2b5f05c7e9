"""Where a backward begins: the gradient of an output with respect to itself."""

from __future__ import annotations

from typing import Any

from .. import backend
from .tensor import Tensor


def seed(output: Tensor, gradient: Any) -> Tensor:
    """The gradient to start from at `output`."""
    if output._edge is None:
        raise RuntimeError(
            "backward: this Tensor does not require grad and was not made from one that does "
            f"(shape {output.shape}, {output.dtype}); set requires_grad=True on an input, and check "
            "for no_grad or detach on the way"
        )
    if gradient is None:
        if output.size != 1:
            raise RuntimeError(
                f"backward: only one number has a gradient by itself, this Tensor is {output.shape}; "
                "reduce it with .sum() or .mean(), or pass `gradient` of its shape"
            )
        return Tensor._wrap(backend.xp.ones(output.shape, output.dtype))
    given = gradient if isinstance(gradient, Tensor) else Tensor(gradient, dtype=output.dtype)
    if given.shape != output.shape:
        raise ValueError(f"backward: gradient {given.shape} for an output of shape {output.shape}")
    return given if given.dtype == output.dtype else given.astype(output.dtype)

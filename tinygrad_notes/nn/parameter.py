"""Tensors that a Module holds: those that training changes, and those that it only saves."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import backend
from ..autograd import Tensor
from ..autograd.copies import deep_copy, make_leaf


class Parameter(Tensor):
    """A Tensor that training changes: requires grad unless frozen."""

    __slots__ = ()

    def __init__(self, data: Any, requires_grad: bool = True, dtype: Any = None) -> None:
        super().__init__(data, requires_grad, dtype)

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        """Without its gradient, as in torch."""
        return deep_copy(self, memo, with_gradient=False)


def unset(*shape: int) -> Parameter:
    """A float32 Parameter of `shape` whose numbers are not set: an initializer (nn.init) must follow."""
    return make_leaf(Parameter, backend.xp.empty(shape, np.float32), True)


class Buffer(Tensor):
    """A Tensor that is saved with the parameters but not trained, e.g. running statistics."""

    __slots__ = ()


def as_buffer(tensor: Tensor) -> Buffer:
    """A Buffer in place of `tensor`, with its array and its graph."""
    buffer = make_leaf(Buffer, tensor._data, False)
    buffer._edge = tensor._edge
    return buffer

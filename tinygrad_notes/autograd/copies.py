"""copy.copy, copy.deepcopy and pickle of Tensors: of leaves only, since a graph is neither copied nor saved.

As in torch, a shallow copy shares the memory, a deep one does not, and both require grad like the original. A
deep copy has the gradient too, but for a Parameter's. A pickle has none, and its array is on the host: it
can be read on any backend.
"""

from __future__ import annotations

import copy
from typing import Any, TypeVar

from .. import backend
from .tensor import Tensor

Kind = TypeVar("Kind", bound=Tensor)


def make_leaf(kind: type[Kind], array: Any, requires_grad: bool, attributes: Any = None) -> Kind:
    """A leaf of class `kind` on `array` itself, with the `attributes` that a class of the user's may have."""
    tensor = object.__new__(kind)
    tensor._data, tensor._edge = backend.asarray(array), None
    if requires_grad:
        tensor.requires_grad = True
    if attributes:
        vars(tensor).update(attributes)
    return tensor


def deep_copy(x: Tensor, memo: dict[int, Any], with_gradient: bool = True) -> Tensor:
    """A leaf like `x` that shares nothing with it."""
    _check_leaf("copy.deepcopy", x)
    twin = make_leaf(type(x), x._data.copy(), x.requires_grad, copy.deepcopy(_attributes(x), memo))
    memo[id(x)] = twin
    if with_gradient and x.grad is not None:
        twin.requires_grad = True  # what was frozen may still hold a gradient
        twin.grad = copy.deepcopy(x.grad, memo)
        twin.requires_grad = x.requires_grad
    return twin


def _copy(x: Tensor) -> Tensor:
    _check_leaf("copy.copy", x)
    return make_leaf(type(x), x._data, x.requires_grad, _attributes(x))


def _reduce(x: Tensor, protocol: Any) -> Any:
    _check_leaf("pickle", x)
    return make_leaf, (type(x), backend.to_numpy(x._data), x.requires_grad, _attributes(x))


def _attributes(x: Tensor) -> Any:
    return getattr(x, "__dict__", None)


def _check_leaf(how: str, x: Tensor) -> None:
    if not x.is_leaf:
        raise RuntimeError(
            f"{how}: a Tensor of shape {x.shape} made by {x._edge[0].operation.name} would lose its graph "  # type: ignore[index]
            "silently; call .detach() first, or copy the leaves it was made from"
        )


Tensor.__deepcopy__ = deep_copy  # type: ignore[attr-defined]
Tensor.__copy__ = _copy  # type: ignore[attr-defined]
Tensor.__reduce_ex__ = _reduce  # type: ignore[assignment]

"""x += y and x[i] = y: the Tensor itself changes, so that a Parameter stays one and a list keeps its entry.

Where nothing is recorded (under `no_grad`, or if nothing requires grad) the numbers are written into memory,
as in PyTorch: views see them, and `guard` tells the graphs that kept the old ones. What is recorded becomes
the Tensor instead: its object takes over the array and the node of the result, and the old array, which the
graph may keep, stays as it was. The own temporaries of a rule (``y *= scale``) may thus be read on the tape.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import backend
from . import guard, mode
from .fitting import check_fits, check_kind
from .node import Leaf
from .tape import tape
from .tensor import Tensor

# No @=, as in torch: it mostly changes the shape, so Python makes it x = x @ y.
IN_PLACE = {
    "__iadd__": ("+=", "add"), "__isub__": ("-=", "subtract"), "__imul__": ("*=", "multiply"),
    "__itruediv__": ("/=", "divide"), "__ipow__": ("**=", "power"), "__iand__": ("&=", "bitwise_and"),
    "__ior__": ("|=", "bitwise_or"), "__ixor__": ("^=", "bitwise_xor"),
}  # fmt: skip


def _operator(symbol: str, name: str) -> Callable[[Tensor, Any], Tensor]:
    """The method behind `symbol`, made of the operation `name` of the tape."""

    def change(x: Tensor, other: Any) -> Tensor:
        if x._leaf is not None and mode.recording.get():
            raise RuntimeError(
                f"{symbol} would change a leaf that requires grad behind its graph; use it under "
                f"tg.no_grad(), or write x = x {symbol[:-1]} ... for a new Tensor"
            )
        result = getattr(tape, name)(x, other)
        if result.shape != x.shape:
            raise ValueError(f"{symbol}: the result is {result.shape} and does not fit into {x.shape}")
        if result._edge is None:
            check_fits(symbol, result._data, x.dtype)
            _write(x, ..., result._data)
        else:
            check_kind(symbol, result.dtype, x.dtype)
            kept = result if result.dtype == x.dtype else tape.astype(result, x.dtype)
            x._data, x._edge = kept._data, kept._edge
        return x

    return change


def convert(x: Tensor, dtype: Any) -> None:
    """Another dtype in place, of the gradient too; the graphs so far end in the old leaf."""
    x._data = x._data.astype(dtype)
    before = x._collector
    if before is None:
        return
    leaf = Leaf((x.shape, x.dtype))
    leaf.hooks = before.hooks
    if before.grad is not None:
        leaf.grad = Tensor._wrap(before.grad._data.astype(dtype))
    if x._edge is None:
        x._frozen = leaf
    else:
        x._edge = (leaf, 0)


def _set_item(x: Tensor, index: Any, value: Any) -> None:
    """x[index] = value, where it is not recorded."""
    if mode.recording.get() and (
        x._edge is not None or (isinstance(value, Tensor) and value._edge is not None)
    ):
        raise TypeError(
            "x[index] = value is not recorded, the history of x would be wrong; use tg.where or tg.concat to "
            "make a new Tensor, or assign under tg.no_grad()"
        )
    new = value._data if isinstance(value, Tensor) else value
    check_fits("x[index] = value", new, x.dtype)
    if not isinstance(new, bool | int | float):
        new = backend.asarray(new, x.dtype)
    _write(x, tuple(map(_raw, index)) if isinstance(index, tuple) else _raw(index), new)


def _raw(part: Any) -> Any:
    """One part of an index, without Tensors and lists."""
    if isinstance(part, list):
        return backend.asarray(np.asarray(part, dtype=None if part else np.int64))
    return part._data if isinstance(part, Tensor) else part


def _write(x: Tensor, index: Any, value: Any) -> None:
    array = x._data
    repeated = array.size and any(
        step == 0 and n > 1 for step, n in zip(array.strides, array.shape, strict=True)
    )
    if repeated or not getattr(array.flags, "writeable", True):
        raise RuntimeError(
            f"a Tensor of shape {x.shape} that was stretched by broadcasting cannot change in place, as its "
            "elements share memory; make a copy with tg.tensor(x)"
        )
    array[index] = value
    guard.touched(array)


for _method, (_symbol, _name) in IN_PLACE.items():
    setattr(Tensor, _method, _operator(_symbol, _name))
Tensor.__setitem__ = _set_item  # type: ignore[method-assign]

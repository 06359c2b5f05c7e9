"""New Tensors. Real numbers are float32 unless a dtype is asked for, whole ones int64."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import backend
from ..autograd import Tensor
from .arguments import check_held, raw_array


def tensor(data: Any, requires_grad: bool = False, dtype: Any = None) -> Tensor:
    """A Tensor of numbers, nested lists or an array, copied; see `Tensor`."""
    return Tensor(data, requires_grad, dtype)


def zeros(shape: Any, dtype: Any = np.float32, requires_grad: bool = False) -> Tensor:
    """Zeros of `shape`."""
    return _new(backend.xp.zeros(shape, dtype=_dtype("zeros", dtype)), requires_grad)


def ones(shape: Any, dtype: Any = np.float32, requires_grad: bool = False) -> Tensor:
    """Ones of `shape`."""
    return _new(backend.xp.ones(shape, dtype=_dtype("ones", dtype)), requires_grad)


def full(shape: Any, value: float, dtype: Any = np.float32, requires_grad: bool = False) -> Tensor:
    """`value` everywhere in `shape`."""
    dtype = _dtype("full", dtype)
    if isinstance(value, int | np.integer):
        check_held("full", int(value), dtype)
    return _new(backend.xp.full(shape, value, dtype=dtype), requires_grad)


def arange(start: float, stop: float | None = None, step: float = 1, dtype: Any = None) -> Tensor:
    """start, start + step, ... up to but not `stop`; arange(n) counts from 0."""
    if stop is None:
        start, stop = 0, start
    start, stop, step = (v.item() if isinstance(v, np.generic) else v for v in (start, stop, step))
    whole = all(isinstance(v, int) for v in (start, stop, step))
    dtype = (np.int64 if whole else np.float32) if dtype is None else dtype
    if step == 0:
        raise ValueError("arange: step must not be 0")
    # NumPy counts in the dtype that it is given: in float32 the steps at 10⁶ would be multiples of 1/16.
    array = backend.xp.arange(start, stop, step)
    dtype = _dtype("arange", dtype)
    if dtype.kind in "iu" and array.size:
        for end in (start, start + (array.size - 1) * step):
            check_held("arange", int(end), dtype)
    return Tensor._wrap(array.astype(dtype))


def zeros_like(x: Any) -> Tensor:
    """Zeros of the shape and dtype of x."""
    return Tensor._wrap(backend.xp.zeros_like(raw_array(x)))


def ones_like(x: Any) -> Tensor:
    """Ones of the shape and dtype of x."""
    return Tensor._wrap(backend.xp.ones_like(raw_array(x)))


def _dtype(op: str, dtype: Any) -> Any:
    if isinstance(dtype, int | np.integer):
        raise TypeError(f"{op}: dtype cannot be {dtype}; a shape is one argument, as in {op}((2, 3))")
    return backend.check_dtype(dtype)


def _new(array: Any, requires_grad: bool) -> Tensor:
    x = Tensor._wrap(array)
    if requires_grad:
        x.requires_grad = True
    return x

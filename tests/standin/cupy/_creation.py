"""Host to device and back: array, asarray, asnumpy. The only functions that take a NumPy array."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from . import _device
from ._array import ndarray


def array(
    obj: Any,
    dtype: Any = None,
    copy: Any = True,
    order: Any = "K",
    subok: bool = False,
    ndmin: int = 0,
    *,
    blocking: bool = False,
) -> ndarray:
    """Device array of numbers, nested lists, a NumPy array (a transfer), or lists of device arrays alone."""
    if subok:
        raise NotImplementedError("subok=True is not supported")
    if isinstance(obj, ndarray):
        wanted = obj.dtype if dtype is None else _device.check_dtype(dtype)
        options = {"copy": copy or None, "order": order, "ndmin": ndmin}
        return _device.computed(np.array, obj._data, wanted, sources=(obj,), **options)
    if _only_device(obj):
        return _stacked(obj, dtype, ndmin)
    data = np.array(obj, dtype=dtype, copy=True, order=order, ndmin=ndmin)
    _device.check_dtype(data.dtype)
    if data.ndim == 0:  # a number is the argument of a kernel that fills
        return _device.computed(data.copy)
    device = _device.computed(np.empty_like, data, free=True)
    _device.transferred(lambda: device._data.__setitem__(..., data), [device._data], pinned=False)
    return device


def asarray(
    a: Any, dtype: Any = None, order: Any = None, *, copy: Any = None, blocking: bool = False
) -> ndarray:
    """As `array`, but a device array that already fits is returned itself."""
    if copy is False and not isinstance(a, ndarray):
        raise ValueError("Unable to avoid copy while creating an array as requested.")
    return array(a, dtype, copy=bool(copy), order=order or "K", blocking=blocking)


def ascontiguousarray(a: Any, dtype: Any = None) -> ndarray:
    """As `asarray`, C-contiguous."""
    return array(a, dtype, copy=False, order="C")


def asnumpy(
    a: Any, stream: Any = None, order: str = "C", out: Any = None, *, blocking: bool = True
) -> np.ndarray:
    """Copy of a device array on the host; host data passes."""
    if isinstance(a, ndarray):
        return a.get(stream=stream, order=order, out=out, blocking=blocking)
    return np.asarray(a)


def get_array_module(*args: Any) -> Any:
    """cupy if any argument is a device array, else numpy."""
    return sys.modules[__package__] if any(isinstance(arg, ndarray) for arg in args) else np


def _only_device(obj: Any) -> bool:
    """Whether a nested list holds device arrays and nothing else (NumPy is refused the others)."""
    if not isinstance(obj, list | tuple) or not obj:
        return False
    return all(isinstance(item, ndarray) or _only_device(item) for item in obj)


def _stacked(obj: Any, dtype: Any, ndmin: int) -> ndarray:
    parts = [_buffer(item) for item in obj]
    if len({part.shape for part in parts}) > 1:
        raise ValueError("cupy.array: device arrays of different shapes cannot be stacked")
    return _device.computed(lambda: np.array(np.stack(parts), dtype=dtype, ndmin=ndmin))


def _buffer(obj: Any) -> np.ndarray:
    return (obj if isinstance(obj, ndarray) else _stacked(obj, None, 0))._data

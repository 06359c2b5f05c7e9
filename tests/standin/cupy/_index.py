"""Reading and writing at an index: views, masks, index arrays, and scattering with repeats.

As on the device: an entry of an index *array* that is out of range wraps around instead of raising,
and a mask makes the host wait for the number of its True entries. Stricter than CuPy: NumPy arrays as
an index or a value (CuPy copies them to the device silently) and float indices (it truncates them).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from . import _device, _standin

# What CUDA's atomicAdd takes; the other integer and the boolean types are refused.
_ATOMIC = frozenset("iILQefdFD")


def getitem(array: Any, index: Any) -> Any:
    """View for slices and integers, copy for masks and index arrays."""
    key, advanced = _key(array._data, index)
    data = array._data
    if not advanced:
        return _device.wrap(data[key], array)
    return _device.computed(lambda: data[_wrapped(data, key)])


def setitem(array: Any, index: Any, value: Any) -> None:
    """Write `value` (device array or scalar; a list only at an index array)."""
    data = array._data
    key, advanced = _key(data, index)
    if _device.is_device(value):
        host = value._data
    elif type(value) in _device.SCALARS:
        host = value
    elif advanced and isinstance(value, list | tuple):
        from ._creation import array as make

        host = make(value, dtype=array.dtype)._data
    elif isinstance(value, np.ndarray) and value.ndim and not advanced:
        raise ValueError("non-scalar numpy.ndarray cannot be used for fill")
    else:
        raise TypeError(f"__setitem__: Unsupported type {type(value)}")
    _device.launch(lambda: data.__setitem__(_wrapped(data, key), host), [data])


def scatter(host: np.ufunc, array: Any, index: Any, value: Any) -> None:
    """array[index] = host(array[index], value), repeated entries accumulating."""
    data = _device.array_argument(array, "scatter")
    key, advanced = _key(data, index)
    if advanced and data.dtype.char not in _ATOMIC:
        raise TypeError(
            f"scatter only supports int32, float16, float32, float64, uint32, uint64, got {data.dtype}"
        )
    given = _device.operand(value, "scatter")
    _device.launch(lambda: host.at(data, _wrapped(data, key), np.asarray(given).astype(data.dtype)), [data])


def _key(data: np.ndarray, index: Any) -> tuple[tuple[Any, ...], bool]:
    """(index NumPy understands, whether it copies)."""
    items = [_item(item) for item in (index if isinstance(index, tuple) else (index,))]
    arrays = [item for item in items if isinstance(item, np.ndarray)]
    if sum(item is Ellipsis for item in items) > 1:
        raise IndexError("an index can only have a single ellipsis ('...')")
    used = sum(_width(item) for item in items)
    if used > data.ndim:
        raise IndexError(
            f"too many indices for array: array is {data.ndim}-dimensional, but {used} were indexed"
        )
    if not any(item is Ellipsis for item in items):
        items.append(Ellipsis)  # a full index then gives a 0-d view, not a scalar
    return tuple(items), bool(arrays)


def _wrapped(data: np.ndarray, items: tuple[Any, ...]) -> tuple[Any, ...]:
    """The index with its integer arrays wrapped around, as they are when the device reads them."""
    rest = data.ndim - sum(_width(item) for item in items)
    axis, key = 0, []
    for item in items:
        if isinstance(item, np.ndarray) and item.dtype.kind in "iu" and data.shape[axis]:
            key.append(item.astype(np.int64) % data.shape[axis])
        else:
            key.append(item)
        axis += rest if item is Ellipsis else _width(item)
    return tuple(key)


def _width(item: Any) -> int:
    """How many axes of the array an item uses up."""
    if item is None or item is Ellipsis:
        return 0
    return item.ndim if isinstance(item, np.ndarray) and item.dtype.kind == "b" else 1


def _item(item: Any) -> Any:
    if item is None or item is Ellipsis:
        return item
    if isinstance(item, slice):
        parts = (item.start, item.stop, item.step)
        if any(_device.is_device(part) for part in parts):
            raise TypeError("slice indices must be integers or None, not cupy.ndarray")
        return item
    if _device.is_device(item):
        if item.dtype.kind == "b":
            _standin.synced()
        elif item.dtype.kind not in "iu":
            raise IndexError(
                f"arrays used as indices must be of integer or boolean type. (actual: {item.dtype.type})"
            )
        return item._data
    if isinstance(item, bool | np.bool_ | list | tuple):
        from ._creation import array as make

        made = make(item)
        return _item(made if made.size else made.astype(np.int32))
    if isinstance(item, int | np.integer):
        return int(item)
    if isinstance(item, np.ndarray):
        raise TypeError(f"index: Unsupported type {type(item)}; move it to the device first")
    raise IndexError(
        f"Unsupported index {type(item)}: only integers, slices (`:`), ellipsis (`...`), numpy.newaxis "
        "(`None`) and integer or boolean cupy arrays are valid indices"
    )

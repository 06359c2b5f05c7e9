"""What may enter a device function, and how results leave it."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from . import _standin

DTYPES = frozenset("?bhilqBHILQefdFD")  # no object, string, datetime or extended precision
SCALARS = frozenset(
    {int, float, bool, complex, np.longlong, np.ulonglong, *(np.dtype(char).type for char in DTYPES)}
)


def signature(parameters: str) -> inspect.Signature:
    """Signature of the parameters in a row of _names.py."""
    names = {"float64": np.float64, "int64": np.int64, "float": float, "int": int}
    return inspect.signature(eval(f"lambda {parameters}: None", names))


def bind(sig: inspect.Signature, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    """Arguments that were given, by parameter name; unknown keywords raise as a function's own would."""
    try:
        return sig.bind(*args, **kwargs).arguments
    except TypeError as error:
        raise TypeError(f"{name}() {error}") from None


def is_device(value: Any) -> bool:
    """Whether `value` is an array of this device."""
    return isinstance(value, ndarray_type())


def ndarray_type() -> type:
    """cupy.ndarray (imported late: the class is built on this module)."""
    from ._array import ndarray

    return ndarray


def array_argument(value: Any, where: str) -> np.ndarray:
    """The buffer of a device array; anything else is refused."""
    if is_device(value):
        return value._data
    raise TypeError(f"{where}: Unsupported type {type(value)}; expected cupy.ndarray")


def operand(value: Any, where: str) -> Any:
    """A device array's buffer, or a Python or NumPy scalar."""
    if is_device(value):
        return value._data
    if type(value) in SCALARS:
        return value
    raise TypeError(f"{where}: Unsupported type {type(value)}")


def host_argument(value: Any, where: str) -> Any:
    """A number, shape, axis, dtype or flag: arrays of either side are refused, also inside sequences."""
    if is_device(value) or isinstance(value, np.ndarray):
        raise TypeError(f"{where}: Unsupported type {type(value)}; expected a host value")
    if isinstance(value, list | tuple):
        for item in value:
            host_argument(item, where)
    return value


def array_sequence(value: Any, where: str) -> list[np.ndarray]:
    """Buffers of a list or tuple of device arrays."""
    if not isinstance(value, list | tuple):
        raise TypeError(f"{where}: expected a list or tuple of cupy.ndarray, got {type(value)}")
    return [array_argument(item, where) for item in value]


def check_dtype(dtype: Any) -> np.dtype:
    """numpy.dtype, if the device has it."""
    found = np.dtype(dtype)
    if found.char not in DTYPES:
        raise ValueError(f"Unsupported dtype {found}")
    return found


def quietly(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call a NumPy function the way a device computes: division by zero and overflow warn nobody."""
    with np.errstate(all="ignore"):
        return function(*args, **kwargs)


def launch(work: Callable[[], None], outs: list[np.ndarray]) -> None:
    """One operation on the device: `work` writes into the buffers `outs` and nowhere else."""
    _standin.launched()
    quietly(work)


def wrap(value: Any, *sources: Any) -> Any:
    """Device array(s) of a NumPy result; `sources` are the device arrays that it may be a view of."""
    if isinstance(value, np.ndarray | np.generic):
        if isinstance(value, np.generic):
            value = np.asarray(value)
        for source in sources:
            if source._data is value:
                return source
        return ndarray_type()._of(value, _base(value, sources))
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(wrap(item, *sources) for item in value))
    if isinstance(value, list | tuple):
        return type(value)(wrap(item, *sources) for item in value)
    return value


def _base(value: np.ndarray, sources: tuple[Any, ...]) -> Any:
    root = _root(value)
    for source in sources:
        if root is not value and _root(source._data) is root:
            return source if source.base is None else source.base
    return None


def _root(array: Any) -> Any:
    while getattr(array, "base", None) is not None:
        array = array.base
    return array

"""What may enter a device function, and how results leave it."""

from __future__ import annotations

import functools
import inspect
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from . import _capture, _standin

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


@functools.cache
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


# Buffers by the addresses that were asked for: a struct can hand them to a kernel.
ADDRESSES: weakref.WeakValueDictionary[int, np.ndarray] = weakref.WeakValueDictionary()


def address(buffer: np.ndarray) -> int:
    """Where a buffer begins."""
    ADDRESSES[buffer.ctypes.data] = buffer
    return buffer.ctypes.data


def launch(
    work: Callable[[], Any], outs: list[np.ndarray], counted: Callable[[], None] | None = None
) -> None:
    """One operation on the device: `work` writes into the buffers `outs` and nowhere else.

    Every operation passes here or through `computed`: it is counted, and recorded where a stream captures.
    """
    capture = _capture.recording()
    (counted or _standin.launched)()
    if capture is not None:
        capture.save(outs)
    quietly(work)
    if capture is not None:
        capture.operations.append(work)


def computed(
    host: Callable[..., Any], *args: Any, sources: Any = (), free: bool = False, **kwargs: Any
) -> Any:
    """Device array(s) of a NumPy function of buffers: one operation, none for views of the `sources`.

    `free`: new memory alone, which costs nothing and holds no values.
    """
    capture = _capture.recording()
    result = _as_arrays(quietly(host, *args, **kwargs))
    parts = list(_parts(result))
    roots = {id(_capture.root_of(source._data)) for source in sources}
    made = [id(_capture.root_of(part)) not in roots for part in parts]
    if any(made) and not free:
        _standin.launched()
    if capture is not None and any(made):
        capture.made(part for part, new in zip(parts, made, strict=True) if new)

        def again() -> None:
            found = _parts(_as_arrays(host(*args, **kwargs)))
            for part, value, new in zip(parts, found, made, strict=True):
                if new:
                    part[...] = value

        if not free:
            capture.operations.append(again)
    return wrap(result, *sources)


def transferred(work: Callable[[], Any], outs: list[np.ndarray], pinned: bool) -> None:
    """One copy between host and device. A graph can only copy from and to pinned memory."""
    if not pinned:
        _capture.forbid(
            "a copy between the device and host memory that is not pinned: do it before the capture"
        )
    launch(work, outs, _standin.transferred)


def _as_arrays(value: Any) -> Any:
    """NumPy's scalars as arrays, which have a buffer."""
    if isinstance(value, np.generic):
        return np.asarray(value)
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*map(_as_arrays, value))
    return type(value)(map(_as_arrays, value)) if isinstance(value, list | tuple) else value


def _parts(value: Any) -> Iterator[np.ndarray]:
    """The arrays of a result."""
    if isinstance(value, np.ndarray):
        yield value
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _parts(item)


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
    root = _capture.root_of(value)
    for source in sources:
        if root is not value and _capture.root_of(source._data) is root:
            return source if source.base is None else source.base
    return None

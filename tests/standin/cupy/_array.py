"""cupy.ndarray: data that only device functions may touch."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from . import _capture, _device, _index, _names, _order, _standin
from .cuda import memory, pinned_memory

_REFUSED = (
    "Implicit conversion to a NumPy array is not allowed. "
    "Please use `.get()` to construct a NumPy array explicitly."
)


def _module() -> Any:
    """The module cupy itself, which is complete only after this class."""
    return sys.modules[__package__]


class MemoryPointer(NamedTuple):
    """Where an array begins on the device."""

    ptr: int


class Flags:
    """Memory layout. There is no ``writeable``: every device array can be written."""

    def __init__(self, array: Any) -> None:
        self.c_contiguous = array._data.flags.c_contiguous
        self.f_contiguous = array._data.flags.f_contiguous
        self.owndata = array.base is None
        self.forc = self.c_contiguous or self.f_contiguous
        self.fnc = self.f_contiguous and not self.c_contiguous

    def __getitem__(self, name: str) -> bool:
        if name not in ("C_CONTIGUOUS", "F_CONTIGUOUS", "OWNDATA"):
            raise KeyError(f"{name} is not defined for cupy.ndarray.flags")
        return getattr(self, name.lower())


class ndarray:
    """An array on the device. Reading a value on the host is explicit, or counted as a wait."""

    __slots__ = ("__weakref__", "_base", "_born", "_data")
    __array_priority__ = 100
    __hash__ = None  # type: ignore[assignment]

    def __init__(
        self, shape: Any, dtype: Any = float, memptr: Any = None, strides: Any = None, order: str = "C"
    ):
        if memptr is not None or strides is not None:
            raise NotImplementedError("cupy stand-in: ndarray(memptr=, strides=) needs device memory")
        sizes = _device.host_argument(shape, "ndarray")
        made = _device.computed(np.empty, sizes, _device.check_dtype(dtype), order, free=True)
        self._data, self._base, self._born = made._data, None, made._born

    @classmethod
    def _of(cls, data: np.ndarray, base: Any = None) -> ndarray:
        """Take over a NumPy buffer; `base` is the array that owns it."""
        _device.check_dtype(data.dtype)
        if not data.flags.writeable:  # a broadcast view: CuPy has no read-only arrays
            data = np.lib.stride_tricks.as_strided(data, data.shape, data.strides, writeable=True)
        if base is None:
            memory._allocate(data.nbytes)
        self = object.__new__(cls)
        self._data, self._base, self._born = data, base, _order.born()
        return self

    base = property(lambda self: self._base)
    ndim = property(lambda self: self._data.ndim)
    dtype = property(lambda self: self._data.dtype)
    size = property(lambda self: self._data.size)
    itemsize = property(lambda self: self._data.itemsize)
    nbytes = property(lambda self: self._data.nbytes)
    strides = property(lambda self: self._data.strides)
    flags = property(Flags)
    data = property(lambda self: MemoryPointer(_device.address(self._data)))
    T = property(lambda self: _device.wrap(self._data.T, self))
    mT = property(lambda self: _device.wrap(self._data.mT, self))
    real = property(lambda self: _device.wrap(self._data.real, self))
    imag = property(lambda self: _device.wrap(self._data.imag, self))

    @property
    def shape(self) -> tuple[int, ...]:
        return self._data.shape

    @shape.setter
    def shape(self, shape: Any) -> None:
        self._data = self._data.reshape(_device.host_argument(shape, "shape"))

    @property
    def device(self) -> Any:
        from .cuda import Device

        return Device(0)

    # --- the host reads: explicit copies, and waits ---

    def get(self, stream: Any = None, order: str = "C", out: Any = None, blocking: bool = True) -> np.ndarray:
        """Copy on the host; without waiting only into pinned memory."""
        pinned = not blocking and isinstance(out, np.ndarray) and pinned_memory._memory_of(out) is not None
        if not pinned:
            _standin.synced()
        if out is None:
            _standin.transferred()
            return self._data.copy(order)
        if not isinstance(out, np.ndarray):
            raise TypeError("Only numpy.ndarray can be obtained from cupy.ndarray")
        if (out.dtype, out.shape) != (self.dtype, self.shape):
            raise TypeError(f"{out.dtype} {out.shape} cannot be obtained from {self.dtype} {self.shape}")
        host: np.ndarray = out
        _device.transferred(lambda: host.__setitem__(..., self._data), [host], pinned)
        return host

    def set(self, arr: np.ndarray, stream: Any = None) -> None:
        """Fill from a host array of the same dtype and shape."""
        if not isinstance(arr, np.ndarray):
            raise TypeError("Only numpy.ndarray can be set to cupy.ndarray")
        if arr.dtype != self.dtype:
            raise TypeError(f"{arr.dtype} array cannot be set to {self.dtype} array")
        if arr.shape != self.shape:
            raise ValueError(f"Shape mismatch. Old shape: {self.shape}, new shape: {arr.shape}")
        if not (self.flags.c_contiguous or self.flags.f_contiguous):
            raise RuntimeError("Cannot set to non-contiguous array")
        data, memory = self._data, pinned_memory._memory_of(arr)
        if stream is not None and stream._queue is not _order.current():
            self._set_late(arr, stream._queue, memory)
            return
        _device.transferred(lambda: data.__setitem__(..., arr), [data], memory is not None)

    def _set_late(self, arr: np.ndarray, queue: Any, memory: Any) -> None:
        """`set` by another stream than the current one."""
        if memory is None or self.base is not None:
            raise NotImplementedError(
                "cupy stand-in: another stream copies from page-locked memory alone (from other memory the "
                "host may wait for it), and into whole arrays"
            )
        home, time = self._born
        if queue is not home and queue.seen.get(home, -1) < time:
            raise RuntimeError(
                "cupy stand-in: a stream copies into an array that another one has made, and has not waited "
                "for that stream, which may still use the memory for what was there before"
            )
        _capture.forbid("a copy on another stream")
        _standin.transferred()
        _order.Copy(queue, self._data, arr, memory)

    def item(self) -> Any:
        if self.size != 1:
            raise ValueError("can only convert an array of size 1 to a Python scalar")
        return self.get().item()

    def tolist(self) -> Any:
        return self.get().tolist()

    def tobytes(self, order: str = "C") -> bytes:
        return self.get().tobytes(order)

    def __bool__(self) -> bool:
        if self.size > 1:
            raise ValueError(
                "The truth value of an array with more than one element is ambiguous. Use a.any() or a.all()"
            )
        return bool(self.get())

    def __int__(self) -> int:
        return int(self.item())

    def __float__(self) -> float:
        return float(self.item())

    def __complex__(self) -> complex:
        return complex(self.item())

    def __repr__(self) -> str:
        return repr(self.get())

    def __str__(self) -> str:
        return str(self.get())

    def __format__(self, spec: str) -> str:
        return format(self.get() if self.ndim else self.item(), spec)

    # --- NumPy reaches in ---

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        raise TypeError(_REFUSED)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if "out" in kwargs:
            if len(kwargs["out"]) != 1:
                raise ValueError("The 'out' parameter must have exactly one array value")
            kwargs["out"] = kwargs["out"][0]
        function = getattr(_module(), ufunc.__name__, None)
        if method != "__call__" or function is None:
            return NotImplemented
        if ufunc.__name__ in _COMPARE.values():  # NumPy hands its scalars over as 0-d arrays here
            inputs = tuple(x.item() if isinstance(x, np.ndarray) and x.ndim == 0 else x for x in inputs)
        return function(*inputs, **kwargs)

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        try:
            home = functools.reduce(getattr, func.__module__.split(".")[1:], _module())
            function = getattr(home, func.__name__)
        except AttributeError:
            return NotImplemented
        if function is func or any(kind not in (ndarray, np.ndarray) for kind in types):
            return NotImplemented
        return function(*args, **kwargs)

    # --- reading and writing parts ---

    def __len__(self) -> int:
        if not self.ndim:
            raise TypeError("len() of unsized object")
        return self.shape[0]

    def __iter__(self) -> Iterator[ndarray]:
        if not self.ndim:
            raise TypeError("iteration over a 0-d array")
        return (self[i] for i in range(self.shape[0]))

    def __getitem__(self, index: Any) -> ndarray:
        return _index.getitem(self, index)

    def __setitem__(self, index: Any, value: Any) -> None:
        _index.setitem(self, index, value)

    def fill(self, value: Any) -> None:
        self[...] = value

    def scatter_add(self, slices: Any, value: Any) -> None:
        _index.scatter(np.add, self, slices, value)

    def scatter_max(self, slices: Any, value: Any) -> None:
        _index.scatter(np.maximum, self, slices, value)

    def scatter_min(self, slices: Any, value: Any) -> None:
        _index.scatter(np.minimum, self, slices, value)

    # --- copies and views ---

    def copy(self, order: str = "C") -> ndarray:
        return _device.computed(self._data.copy, order)

    __copy__ = copy

    def __deepcopy__(self, memo: Any) -> ndarray:
        return self.copy()

    def __reduce__(self) -> Any:
        from ._creation import array

        return array, (self.get(),)

    def astype(
        self, dtype: Any, order: str = "K", casting: Any = None, subok: Any = None, copy: bool = True
    ) -> ndarray:
        for name, value in (("casting", casting), ("subok", subok)):
            if value is not None:
                raise TypeError(f"{name} is not supported yet")
        if not copy and _device.check_dtype(dtype) == self.dtype:
            return self
        return _device.computed(self._data.astype, _device.check_dtype(dtype), order)

    def view(self, dtype: Any = None, type: Any = None) -> ndarray:
        data = self._data.view() if dtype is None else self._data.view(_device.check_dtype(dtype))
        return _device.wrap(data, self)

    def reshape(self, *shape: Any, order: str = "C", copy: Any = None) -> ndarray:
        sizes = _device.host_argument(shape[0] if len(shape) == 1 else shape, "reshape")
        if copy is False and not np.may_share_memory(self._data.reshape(sizes, order=order), self._data):
            raise ValueError("Unable to avoid creating a copy while reshaping")
        source = self.copy() if copy else self
        return _device.computed(source._data.reshape, sizes, order=order, sources=(source,))

    def transpose(self, *axes: Any) -> ndarray:
        return _device.wrap(self._data.transpose(*_device.host_argument(axes, "transpose")), self)

    def sort(self, axis: int = -1, kind: Any = None) -> None:
        check_kind(kind)
        data = self._data
        _device.launch(lambda: data.sort(axis, kind="stable"), [data])


def check_kind(kind: Any) -> None:
    """Refuse the sorting algorithms that the device does not have."""
    if kind not in (None, "stable"):
        raise ValueError("kind can only be None or 'stable'")


def _operator(ufunc_name: str, swap: bool = False) -> Callable[[ndarray, Any], Any]:
    def operator(self: ndarray, other: Any) -> Any:
        if not _known(other):
            return NotImplemented
        return getattr(_module(), ufunc_name)(*((other, self) if swap else (self, other)))

    return operator


def _in_place(ufunc_name: str) -> Callable[[ndarray, Any], ndarray]:
    def operator(self: ndarray, other: Any) -> ndarray:
        return getattr(_module(), ufunc_name)(self, other, self)

    return operator


def _known(other: Any) -> bool:
    """Whether an operand is ours to judge; a class with its own reflected operator answers first."""
    ours = isinstance(other, ndarray | np.ndarray | np.generic | list | tuple | str) or other is None
    return ours or type(other) in _device.SCALARS


def _unary(ufunc_name: str) -> Callable[[ndarray], Any]:
    def operator(self: ndarray) -> Any:
        return getattr(_module(), ufunc_name)(self)

    return operator


def _method(name: str) -> Callable[..., Any]:
    sig = _device.signature("self, " + _names.METHODS[name])

    def method(*args: Any, **kwargs: Any) -> Any:
        values = _device.bind(sig, name, args, kwargs)
        return getattr(_module(), _FORWARD.get(name, name))(values.pop("self"), **values)

    method.__name__ = name
    return method


_BINARY = {
    "add": "add", "sub": "subtract", "mul": "multiply", "truediv": "true_divide", "floordiv": "floor_divide",
    "mod": "remainder", "pow": "power", "matmul": "matmul", "and": "bitwise_and", "or": "bitwise_or",
    "xor": "bitwise_xor", "lshift": "left_shift", "rshift": "right_shift", "divmod": "divmod",
}  # fmt: skip
_COMPARE = {
    "eq": "equal", "ne": "not_equal", "lt": "less", "le": "less_equal", "gt": "greater",
    "ge": "greater_equal",
}  # fmt: skip
_UNARY = {"neg": "negative", "pos": "positive", "abs": "absolute", "invert": "invert"}
# Methods whose function has another name.
_FORWARD = {"conj": "conjugate", "clip": "_clip_method", "flatten": "_flatten"}

for _short, _name in _BINARY.items():
    setattr(ndarray, f"__{_short}__", _operator(_name))
    setattr(ndarray, f"__r{_short}__", _operator(_name, swap=True))
    if _short not in ("matmul", "divmod"):
        setattr(ndarray, f"__i{_short}__", _in_place(_name))
for _short, _name in _COMPARE.items():
    setattr(ndarray, f"__{_short}__", _operator(_name))
for _short, _name in _UNARY.items():
    setattr(ndarray, f"__{_short}__", _unary(_name))
for _name in _names.METHODS:
    if _name not in vars(ndarray):
        setattr(ndarray, _name, _method(_name))
ndarray.__module__ = "cupy"

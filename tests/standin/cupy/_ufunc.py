"""cupy.ufunc: elementwise functions of device arrays and scalars, with CuPy's short list of keywords."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import _device, _names


class ufunc:
    """An elementwise function. Unlike NumPy's it has no ``where``, ``order`` or ``subok``."""

    def __init__(self, name: str, nin: int, nout: int, host: Any = None) -> None:
        self.__name__ = name
        self.name = f"cupy_{name}"
        self.nin, self.nout, self.nargs = nin, nout, nin + nout
        self._host = host or getattr(np, name)

    def __repr__(self) -> str:
        return f"<ufunc '{self.name}'>"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        out = kwargs.pop("out", None)
        dtype = kwargs.pop("dtype", None)
        casting = kwargs.pop("casting", "same_kind")
        if kwargs:
            raise TypeError(f"Wrong arguments {kwargs}")
        if len(args) not in (self.nin, self.nargs):
            raise TypeError(f"Wrong number of arguments for {self.name}")
        if len(args) == self.nargs:
            if out is not None:
                raise ValueError("Cannot specify 'out' as both a positional and keyword argument")
            *args, out = args
        values = [_device.operand(value, self.name) for value in args]
        options = self._options(out, dtype, casting)
        if out is None:
            return _device.computed(self._host, *values, **options)
        _device.launch(lambda: self._host(*values, **options), [out._data])
        return out

    def _options(self, out: Any, dtype: Any, casting: str) -> dict[str, Any]:
        options: dict[str, Any] = {}
        if out is not None:
            options |= {"out": _device.array_argument(out, f"{self.name}: out"), "casting": casting}
        if dtype is not None:
            options["dtype"] = _device.check_dtype(dtype)
        return options

    def _offers(self, method: str) -> None:
        if self.__name__ not in _names.UFUNC_METHODS[method].split():
            raise NotImplementedError(f"`{self.name}.{method}` is not supported yet")

    def at(self, a: Any, indices: Any, b: Any = None) -> None:
        """Unbuffered in-place operation at `indices`, repeats accumulating."""
        self._offers("at")
        from ._index import scatter

        scatter(self._host, a, indices, b)

    def reduce(
        self, array: Any, axis: Any = 0, dtype: Any = None, out: Any = None, keepdims: bool = False
    ) -> Any:
        """Sum or product along `axis`."""
        self._offers("reduce")
        _device.array_argument(array, self.name)
        return getattr(array, {"add": "sum", "multiply": "prod"}[self.__name__])(axis, dtype, out, keepdims)

    def accumulate(self, array: Any, axis: int = 0, dtype: Any = None, out: Any = None) -> Any:
        """Running sum or product along `axis`."""
        self._offers("accumulate")
        _device.array_argument(array, self.name)
        return getattr(array, {"add": "cumsum", "multiply": "cumprod"}[self.__name__])(axis, dtype, out)

    def outer(self, a: Any, b: Any) -> Any:
        """The function of every pair of entries."""
        left, right = (_device.array_argument(value, self.name) for value in (a, b))
        return _device.computed(self._host.outer, left, right)

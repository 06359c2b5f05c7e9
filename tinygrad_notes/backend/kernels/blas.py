"""The OpenBLAS that NumPy's wheels bundle, for what NumPy does not reach: its threads, and y ← αx + βy.

NumPy computes αx + βy in three passes over memory, OpenBLAS in one. Where NumPy bundles another BLAS, both
are done without.
"""

from __future__ import annotations

import ctypes
import functools
from pathlib import Path
from typing import Any

import numpy as np

FEW = 8192  # elements up to which three calls of NumPy's are quicker than finding two addresses
REAL = {"f": ("s", ctypes.c_float), "d": ("d", ctypes.c_double)}


def axpby(alpha: float, x: Any, beta: float, y: Any, scratch: Any) -> None:
    """y ← αx + βy for contiguous arrays (n,); `scratch` (n,) may be overwritten."""
    # Of two dtypes the routine, which sees only addresses, would make wrong numbers.
    routine = _axpby(y.dtype.char) if y.size > FEW and x.dtype == y.dtype else None
    if routine is None:
        plain_axpby(np, alpha, x, beta, y, scratch)
    else:
        routine(y.size, alpha, _address(x), 1, beta, _address(y), 1)


def plain_axpby(np: Any, alpha: float, x: Any, beta: float, y: Any, scratch: Any) -> None:
    """The definition, on any array library; arrays of any layout."""
    np.multiply(y, beta, out=y)
    np.add(y, np.multiply(x, alpha, out=scratch), out=y)


def _address(array: Any) -> int:
    return array.__array_interface__["data"][0]  # type: ignore[no-any-return]


@functools.cache
def threads() -> tuple[Any, Any] | None:
    """(set, get) the number of OpenBLAS's threads, or None."""
    for suffix in ("64_", ""):
        setter, getter = (_symbol(f"scipy_openblas_{what}_num_threads{suffix}") for what in ("set", "get"))
        if setter is not None and getter is not None:
            setter.argtypes, setter.restype = [ctypes.c_int], None
            getter.argtypes, getter.restype = [], ctypes.c_int
            return setter, getter
    return None


@functools.cache
def _axpby(char: str) -> Any:
    if char not in REAL:
        return None
    letter, real = REAL[char]
    for suffix, integer in (("64_", ctypes.c_int64), ("", ctypes.c_int)):
        routine = _symbol(f"scipy_cblas_{letter}axpby{suffix}")
        if routine is not None:
            pointer = ctypes.c_void_p
            routine.argtypes = [integer, real, pointer, integer, real, pointer, integer]
            routine.restype = None
            return routine
    return None


def _symbol(name: str) -> Any:
    library = _library()
    return getattr(library, name, None) if library is not None else None


@functools.cache
def _library() -> Any:
    root = Path(np.__file__).parent
    for folder in (root.parent / "numpy.libs", root / ".dylibs"):
        for path in sorted(folder.glob("*openblas*")):
            try:
                return ctypes.CDLL(str(path))
            except OSError:
                continue
    return None

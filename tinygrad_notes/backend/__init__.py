"""Which array library computes: the one gateway between host memory and the device.

``xp`` is the namespace every rule is read on: the module ``cpu`` (NumPy) or ``gpu`` (CuPy), both
with the same names: array functions plus our kernels. It is looked up once per operation as
``backend.xp``; nothing else in the package asks which backend is in use.

The environment variable ``BACKEND`` ("numpy", the default, or "cupy") chooses at import, and ends the
program there if it cannot be used; ``set_backend`` chooses later. ``asarray`` and ``to_numpy`` are the
only crossings. FLOAT32_CONV_PRECISION and FLOAT32_MATMUL_PRECISION are read there too (precision.py).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from . import cpu, wheels
from .capture import each_step as each_step
from .kernels.memory import keep_freed_memory
from .kernels.threads import threads as kernel_threads
from .precision import read_environment
from .trouble import Trouble

Array = Any  # numpy.ndarray or cupy.ndarray

xp: Any = cpu
BACKEND = "numpy"
refused: Exception | None = None  # why the command ``tinygrad-notes`` cannot have what BACKEND asks for

_rng = np.random.default_rng()


class BackendError(RuntimeError):
    """A backend that cannot be used, or arrays of two devices in one operation."""


def set_backend(name: str) -> None:
    """Compute with "numpy" or "cupy" from now on.

    Tensors made before stay where they are; an operation that meets one of another device raises.

    Raises:
        ValueError: unknown name.
        BackendError: CuPy is not installed, does not load, or finds no GPU; the message says what to do.
    """
    global xp, BACKEND
    if name == "numpy":
        xp = cpu
    elif name == "cupy":
        try:
            from . import gpu
        except ImportError as error:
            raise BackendError(f"BACKEND=cupy: {wheels.not_loaded(error)}, or use BACKEND=numpy") from error
        reason = gpu.why_unusable()
        if reason is not None:
            raise BackendError(f"BACKEND=cupy: {reason}; use BACKEND=numpy on this machine")
        xp = gpu
    else:
        raise ValueError(f"set_backend: unknown backend {name!r}; choose 'numpy' or 'cupy'")
    BACKEND = name


@contextmanager
def use_backend(name: str) -> Iterator[None]:
    """Compute with backend `name` inside a ``with`` block, then return to the one before."""
    before = BACKEND
    set_backend(name)
    try:
        yield
    finally:
        set_backend(before)


several: list[int] = []  # the GPUs that were computed on, where `set_device` chose among several


def set_device(index: int) -> None:
    """Compute on GPU `index` from now on, in this thread; the first is 0.

    Tensors made before stay where they are; an operation that meets arrays of two GPUs raises.

    Raises:
        BackendError: the backend has no GPUs.
        ValueError: there is no such GPU; the message names those that are there.
    """
    if xp is cpu:
        raise BackendError("set_device: the backend numpy has no GPUs; call set_backend('cupy') first")
    before = xp.devices.current()
    xp.devices.set_device(index)
    if xp.devices.current() != before:
        several[:] = sorted({*several, before, xp.devices.current()})


def explain(error: BaseException) -> Trouble | None:
    """What an error of the device means and what helps; None for any other error."""
    return None if xp is cpu else xp.explain(error)


def run(rule: Callable[..., Any], *arrays: Any, **attributes: Any) -> Any:
    """`rule`, a function of the namespace and arrays, called as the namespace has rules called."""
    if xp.read is not None:
        rule = xp.read(rule)
    return rule(xp, *arrays, **attributes)


NUMBERS = "?bBhHiIlLqQefd"  # booleans, integers, and reals of 16, 32 and 64 bits


def check_dtype(dtype: Any) -> np.dtype[Any]:
    """`dtype` as NumPy's; TypeError unless it is one of the real numbers that operations compute with."""
    checked: np.dtype[Any] = np.dtype(dtype)
    if checked.char not in NUMBERS:
        raise TypeError(
            f"dtype {checked} is not supported: Tensors hold real numbers of at most 64 bits (float, int or "
            "bool), for example .astype('float64')"
        )
    return checked


def asarray(data: Any, dtype: Any = None, copy: bool | None = None) -> Array:
    """Array of the current backend. Host to device is one explicit copy.

    Python numbers and lists follow the default precision: floats become float32, integers int64.
    Arrays keep their dtype unless `dtype` is given. `copy=True` never shares memory with `data`.

    Raises TypeError for complex numbers, reals of more than 64 bits and what is no number, OverflowError
    for integers, in lists or alone, that `dtype` does not hold.
    """
    if dtype is not None:
        check_dtype(dtype)
    if isinstance(data, np.ndarray):
        data = plain(data)
    if isinstance(data, xp.ndarray):
        check_dtype(data.dtype)
        array = data if dtype is None else data.astype(dtype, copy=False)
        return array.copy() if copy and array is data else array
    if is_array(data) and not isinstance(data, np.ndarray):
        raise BackendError(
            f"asarray: a {type(data).__module__} array cannot enter the {BACKEND} backend; "
            "move it with to_numpy first"
        )
    host = np.asarray(data)
    check_dtype(host.dtype)
    if dtype is None and not isinstance(data, np.ndarray | np.generic) and host.dtype == np.float64:
        dtype = np.float32
    if dtype is not None:
        place = np.dtype(dtype)
        integers = not isinstance(data, np.ndarray) and host.dtype.kind in "iu" and place.kind in "iu"
        if integers and (lost := outside(host, place)).size:  # an array is converted as NumPy does it
            raise OverflowError(f"asarray: {lost[0]} lies outside of {place}; give a wider dtype")
        host = host.astype(place, copy=False)
    if xp is cpu:
        return host.copy() if copy and np.may_share_memory(host, np.asarray(data)) else host
    return xp.from_host(host)


def outside(integers: Array, dtype: Any) -> Array:
    """Those of `integers` that the integers of `dtype` do not hold, in one axis."""
    return integers[integers.astype(dtype) != integers]


def plain(array: np.ndarray) -> np.ndarray:
    """A NumPy array of NumPy's own class, a memory map or matrix for example, in the machine's byte order."""
    if isinstance(array, np.ma.MaskedArray):
        raise TypeError("asarray: a masked array would lose its mask; use .filled(value) first")
    if type(array) is not np.ndarray:
        array = np.asarray(array)
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))


def to_numpy(array: Any) -> np.ndarray:
    """NumPy array with the values of `array` (shares memory on the NumPy backend)."""
    if isinstance(array, np.ndarray):
        return array
    if hasattr(array, "get"):  # cupy.ndarray: the explicit device-to-host copy
        return array.get()  # type: ignore[no-any-return]
    return np.asarray(array)


def is_array(value: Any) -> bool:
    """Whether `value` is an array of any backend (scalars of NumPy are not)."""
    return isinstance(value, np.ndarray) or type(value).__module__.partition(".")[0] == "cupy"


def threads() -> int | None:
    """How many threads share a kernel's work, and so round its sums; None on a GPU."""
    return kernel_threads() if xp is cpu else None


def manual_seed(seed: int) -> None:
    """Seed every random draw of the package: initialization, dropout, shuffling, augmentation.

    Draws happen on the host for every backend, so one seed gives the same numbers on each.
    """
    global _rng
    if not isinstance(seed, int | np.integer) or seed < 0:
        raise ValueError(f"manual_seed: seed must be a non-negative integer, got {seed!r}")
    _rng = np.random.default_rng(int(seed))


def rng() -> np.random.Generator:
    """The package's random generator, on the host."""
    return _rng


@contextmanager
def use_rng(generator: Any) -> Iterator[None]:
    """Draw from `generator` inside a ``with`` block, then from the one before, which has not moved."""
    global _rng
    before, _rng = _rng, generator
    try:
        yield
    finally:
        _rng = before


def rng_state() -> dict[str, Any]:
    """State of the random generator, as plain numbers and strings."""
    return dict(_rng.bit_generator.state)


def set_rng_state(state: dict[str, Any]) -> None:
    """Restore what `rng_state` returned: the draws continue bit for bit."""
    _rng.bit_generator.state = state


def _is_command() -> bool:
    """Whether this program is ``tinygrad-notes``: its ``--help`` and ``doctor`` need no backend."""
    named = Path(*sys.argv[:1]).name.startswith("tinygrad-notes")
    return named or ("-m", "tinygrad_notes") in pairwise(sys.orig_argv)


keep_freed_memory()
try:
    read_environment()
    set_backend(os.environ.get("BACKEND") or "numpy")
except (BackendError, ValueError) as error:  # the wish of the environment, not a fault of the program:
    if not _is_command():
        print(f"tinygrad_notes: {error}", file=sys.stderr)  # one sentence instead of a traceback
        raise SystemExit(2) from None
    refused = error  # the command raises it, or explains it

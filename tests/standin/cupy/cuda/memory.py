"""cupy.cuda.memory: pools know who allocates from them; they hold nothing back.

A graph's arrays must come from a pool of their own: the pool that others use too would hand the memory of a
capture's intermediate results to them, and every replay would write over theirs.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from .. import _capture, _order
from .._errors import OutOfMemoryError as OutOfMemoryError


class MemoryPointer:
    """Memory that a pool gave."""

    def __init__(self, mem: Any, offset: int) -> None:
        self.mem, self.ptr = mem, int(mem.ctypes.data) + offset


class MemoryPool:
    """Memory of the device. `_freed` counts how often unused memory was given back."""

    def __init__(self, allocator: Any = None) -> None:
        self._limit, self._freed = 0, 0

    def malloc(self, size: int) -> MemoryPointer:
        """Memory of `size` bytes."""
        self._allocate(size)
        return MemoryPointer(np.empty(size, np.uint8), 0)

    def _allocate(self, size: int) -> None:
        """Note an array of `size` bytes; too much for the limit by itself is refused."""
        if self._limit and size > self._limit:
            raise OutOfMemoryError(size, 0, self._limit)

    def used_bytes(self) -> int:
        """Bytes in use."""
        return 0

    def free_bytes(self) -> int:
        """Bytes held and not in use."""
        return 0

    def total_bytes(self) -> int:
        """Bytes held."""
        return 0

    def n_free_blocks(self) -> int:
        """Blocks held and not in use."""
        return 0

    def free_all_blocks(self, stream: Any = None) -> None:
        """Give unused memory back; a graph that used it can then not be launched."""
        self._freed += 1

    def get_limit(self) -> int:
        """The most bytes, 0 for all."""
        return self._limit

    def set_limit(self, size: int | None = None, fraction: float | None = None) -> None:
        """The most bytes; None or 0: all."""
        if size is not None and fraction is not None:
            raise ValueError("size and fraction cannot be specified at one time")
        if fraction is not None:
            from . import runtime

            size = int(fraction * runtime.memGetInfo()[1])
        self._limit = size or 0


_default = MemoryPool()
_global: Callable[[int], MemoryPointer] = _default.malloc
_local = threading.local()


def _get_default_memory_pool() -> MemoryPool:
    """The pool that serves where no other is chosen."""
    return _default


def get_allocator() -> Callable[[int], MemoryPointer]:
    """The function that gives memory now."""
    return getattr(_local, "allocator", None) or _global


def set_allocator(allocator: Any = None) -> None:
    """Allocate by this function from now on."""
    global _global
    if getattr(_local, "allocator", None) is not None:
        raise ValueError("Can't change the global allocator inside `using_allocator` context manager")
    _global = _checked(allocator)


@contextmanager
def _using_allocator(allocator: Any = None) -> Iterator[None]:
    """Allocate by this function inside a ``with`` block, in this thread."""
    before = getattr(_local, "allocator", None)
    _local.allocator = _checked(allocator)
    try:
        yield
    finally:
        _local.allocator = before


def _checked(allocator: Any) -> Any:
    if not isinstance(getattr(allocator, "__self__", None), MemoryPool) or allocator.__name__ != "malloc":
        raise NotImplementedError("cupy stand-in: an allocator must be the malloc of a MemoryPool")
    return allocator


def _allocate(size: int) -> None:
    """Note that an array of `size` bytes is made."""
    _order.check_pool()
    pool = get_allocator().__self__  # type: ignore[attr-defined]
    pool._allocate(size)
    capture = _capture.recording()
    if capture is not None and not any(pool is known for known in capture.pools):
        capture.pools.append(pool)

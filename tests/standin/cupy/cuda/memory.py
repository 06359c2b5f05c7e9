"""cupy.cuda.memory and pinned memory: pools know who allocates from them; they hold nothing back.

A graph's arrays must come from a pool of their own: the pool that others use too would hand the memory of a
capture's intermediate results to them, and every replay would write over theirs.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from .. import _capture
from .._errors import OutOfMemoryError as OutOfMemoryError


class MemoryPointer:
    """Memory that a pool gave."""

    def __init__(self, mem: Any, offset: int) -> None:
        self.mem, self.ptr = mem, int(mem.ctypes.data) + offset


class MemoryPool:
    """Memory of the device. `freed` counts how often unused memory was given back."""

    def __init__(self, allocator: Any = None) -> None:
        self._limit, self.freed = 0, 0

    def malloc(self, size: int) -> MemoryPointer:
        """Memory of `size` bytes."""
        self.allocate(size)
        return MemoryPointer(np.empty(size, np.uint8), 0)

    def allocate(self, size: int) -> None:
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
        self.freed += 1

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


def get_default_memory_pool() -> MemoryPool:
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
def using_allocator(allocator: Any = None) -> Iterator[None]:
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


def allocate(size: int) -> None:
    """Note that an array of `size` bytes is made."""
    pool = get_allocator().__self__  # type: ignore[attr-defined]
    pool.allocate(size)
    capture = _capture.recording()
    if capture is not None and not any(pool is known for known in capture.pools):
        capture.pools.append(pool)


class PinnedMemoryPointer(bytearray):
    """Memory of the host that the device can copy from and to at any time."""

    @property
    def ptr(self) -> int:
        """Its address."""
        return int(np.frombuffer(self, np.uint8).ctypes.data)

    def size(self) -> int:
        """Its bytes."""
        return len(self)


class PinnedMemoryPool:
    """Pinned memory; nothing is pooled here."""

    def __init__(self, allocator: Any = None) -> None:
        pass

    def malloc(self, size: int) -> PinnedMemoryPointer:
        """Pinned memory of `size` bytes."""
        return PinnedMemoryPointer(size)

    def n_free_blocks(self) -> int:
        """Blocks held and not in use."""
        return 0

    def free_all_blocks(self) -> None:
        """Give unused memory back."""


_default_pinned = PinnedMemoryPool()


def get_default_pinned_memory_pool() -> PinnedMemoryPool:
    """The pool of pinned memory."""
    return _default_pinned


def alloc_pinned_memory(size: int) -> PinnedMemoryPointer:
    """Pinned memory of at least `size` bytes."""
    return _default_pinned.malloc(size)


def is_pinned(array: np.ndarray) -> bool:
    """Whether a host array lies in pinned memory."""
    base: Any = array
    while isinstance(base, np.ndarray):
        base = base.base
    return isinstance(getattr(base, "obj", base), PinnedMemoryPointer)

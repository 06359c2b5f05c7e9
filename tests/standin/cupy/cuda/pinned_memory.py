"""cupy.cuda.pinned_memory: memory of the host that the device can copy from and to at any time."""

from __future__ import annotations

from typing import Any

import numpy as np


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


def _get_default_pinned_memory_pool() -> PinnedMemoryPool:
    """The pool of pinned memory."""
    return _default_pinned


def alloc_pinned_memory(size: int) -> PinnedMemoryPointer:
    """Pinned memory of at least `size` bytes."""
    return _default_pinned.malloc(size)


def _memory_of(array: np.ndarray) -> PinnedMemoryPointer | None:
    """The pinned memory that a host array lies in, if it does."""
    base: Any = array
    while isinstance(base, np.ndarray):
        base = base.base
    base = getattr(base, "obj", base)
    return base if isinstance(base, PinnedMemoryPointer) else None

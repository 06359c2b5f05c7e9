"""What a stream has still to do: copies to the device are late where the current stream is another one.

Such a copy is done when somebody waits for an event behind it, or for its stream; until then the array holds
garbage, and the copy reads its source only then. So whoever forgets to wait, overwrites the source, or gives
memory of either side back too early, gets wrong numbers or an error.
"""

from __future__ import annotations

import itertools
import weakref
from collections import deque
from typing import Any

import numpy as np

from . import _capture

_time = itertools.count()
_late: list[Copy] = []


class Queue:
    """What one stream was asked; `seen` says up to which time it has waited for others."""

    def __init__(self) -> None:
        self.asked = 0
        self.copies: deque[Copy] = deque()
        self.seen: dict[Queue, int] = {}

    def finish(self, upto: int | None = None) -> None:
        """Do the first `upto` things that were asked, without it all."""
        while not self.done(upto):
            self.copies.popleft().work()

    def done(self, upto: int | None) -> bool:
        """Whether they are done."""
        return not self.copies or (upto is not None and self.copies[0].number >= upto)


NULL = Queue()


class Copy:
    """From page-locked memory into an array. Both may be gone when it is done."""

    def __init__(self, queue: Queue, target: np.ndarray, source: np.ndarray, memory: Any) -> None:
        self.queue, self.number, self._target = queue, queue.asked, weakref.ref(target)
        self._memory, self._at = weakref.ref(memory), source.ctypes.data - memory.ptr
        self._form, self._strides = (source.shape, source.dtype), source.strides
        target[...] = _capture.garbage(target.dtype)
        queue.asked += 1
        queue.copies.append(self)
        _late.append(self)

    def work(self) -> None:
        """Copy now; memory that was given back holds garbage."""
        _late.remove(self)
        target, memory = self._target(), self._memory()
        if target is not None and memory is not None:
            target[...] = np.ndarray(*self._form, memory, self._at, self._strides)

    def is_lost(self) -> bool:
        """Whether the array is gone, so that another may get its memory."""
        return self._target() is None


def current() -> Queue:
    """That of the current stream."""
    stream = getattr(_capture.local, "stream", None)
    return NULL if stream is None else stream._queue


def born() -> tuple[Queue, int]:
    """Of an array that is made now: whose part of the pool it is from, and when."""
    return current(), next(_time)


def tick() -> int:
    """The time."""
    return next(_time)


def check_pool() -> None:
    """Refuse to make an array while a copy goes into one that is gone, whose memory it could get."""
    for copy in _late:
        if copy.is_lost():
            _late.remove(copy)
            raise RuntimeError(
                "cupy stand-in: an array was given back to the pool while another stream copies into it; the "
                "stream that it was made in must wait for the copy first"
            )


def finish() -> None:
    """Wait for all streams."""
    for copy in [*_late]:
        copy.queue.finish()

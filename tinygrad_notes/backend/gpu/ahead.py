"""Arrays of the host enter the device; those of the next batch while the device computes with the one before.

The thread that makes a batch writes it into page-locked memory of the host. From there a stream of its own
copies it, while the device computes. The host never waits: the computing stream waits, on the device, for the
event behind the copy. An array comes from the computing stream's part of CuPy's pool. So the copy waits for
what that stream was asked before, and the array may go back only when that stream has been told to wait for
the copy. Page-locked memory is kept until the copy is done.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import cupy
import numpy as np

from . import graph

T = TypeVar("T")

_entering = threading.local()  # .lane: by which a batch enters now, in this thread
_kept: deque[tuple[Any, np.ndarray]] = deque()  # (the event behind a copy, what is copied)
_keeping = threading.Lock()


def from_host(array: np.ndarray) -> Any:
    """One explicit copy from host memory to the device; none in a step that is recorded."""
    graph.refuse_host("an array of the host enters the device")
    lane = getattr(_entering, "lane", None)
    return cupy.asarray(array) if lane is None else lane.send(array)


class Lane:
    """The way of one iteration's batches to the device that computes now."""

    def __init__(self) -> None:
        self._device = cupy.cuda.Device()
        self._stream = cupy.cuda.Stream(non_blocking=True)
        self._home = cupy.cuda.get_current_stream()  # the one that computed when the latest batch left
        self._arrived: Any = None  # the event behind the latest copy

    def prepared(self, arrays: tuple[Any, ...]) -> tuple[Any, ...]:
        """The arrays in page-locked memory. The thread that makes the batches may call it."""
        with self._device:  # a new thread begins with GPU 0
            return tuple(map(_page_locked, arrays))

    def ahead(self, enter: Callable[[Any], T], batches: Iterator[Any]) -> Iterator[T]:
        """`enter(batch)` of each, in which arrays enter the device: a batch early, and on its way when the
        one before is given. An exception of it is raised in its turn. `enter` must draw no numbers."""
        failure: Exception | None = None
        try:
            coming = self._next(enter, batches)
            while coming is not None:
                entered, arrived, home = coming
                try:
                    coming = self._next(enter, batches)
                except Exception as error:
                    coming, failure = None, error
                if arrived is not None:
                    for stream in {home, cupy.cuda.get_current_stream()}:
                        stream.wait_event(arrived)
                yield entered
            if failure is not None:
                raise failure
        finally:
            del failure  # else error -> traceback -> this frame -> error is a cycle
            self._settle()

    def _next(self, enter: Callable[[Any], T], batches: Iterator[Any]) -> tuple[T, Any, Any] | None:
        """What becomes of the next batch, the event behind its copies, and the stream that its arrays belong
        to; None behind the last one."""
        batch = next(batches, None)
        if batch is None:
            return None
        if cupy.cuda.Device() != self._device:  # of another GPU since: no lane leads there
            return enter(batch), None, None
        self._home, _entering.lane = cupy.cuda.get_current_stream(), self
        try:
            return enter(batch), self._arrived, self._home
        except BaseException:
            self._settle()
            raise
        finally:
            _entering.lane = None

    def send(self, array: np.ndarray) -> Any:
        """`array` on the device, for work that waits for `_arrived`."""
        host = _page_locked(array)
        if not _is_page_locked(host):
            return cupy.asarray(array)
        device = cupy.empty(host.shape, host.dtype, order=_order(host))
        self._stream.wait_event(_mark(self._home))
        device.set(host, stream=self._stream)
        self._arrived = _mark(self._stream)
        _keep(self._arrived, host)
        return device

    def _settle(self) -> None:
        """Arrays that nobody takes go back to the pool: whoever gets their memory waits for the copies."""
        if self._arrived is not None:
            self._home.wait_event(self._arrived)


def _mark(stream: Any) -> Any:
    """An event behind all that `stream` was asked."""
    return stream.record(cupy.cuda.Event(disable_timing=True))


def _keep(arrived: Any, host: np.ndarray) -> None:
    """Hold `host` until the event is done, and let go of what has waited for that."""
    with _keeping:
        _kept.append((arrived, host))
        while _kept and _kept[0][0].done:
            _kept.popleft()


def _page_locked(array: Any) -> Any:
    """A copy in page-locked memory; the array itself where it is one, where it is a number, and where there
    is no such memory left."""
    if type(array) is not np.ndarray or not array.ndim or array.dtype.hasobject or _is_page_locked(array):
        return array
    unit = 1 << max(array.nbytes.bit_length() - 3, 9)  # few sizes: CuPy's pool keeps what it had, by size
    try:
        memory = cupy.cuda.alloc_pinned_memory(max(-(-array.nbytes // unit), 1) * unit)
    except cupy.cuda.runtime.CUDARuntimeError:
        return array
    copy: np.ndarray = np.ndarray(array.shape, array.dtype, memory, order=_order(array))
    copy[...] = array
    return copy


def _is_page_locked(array: np.ndarray) -> bool:
    return isinstance(array.base, cupy.cuda.PinnedMemoryPointer)


def _order(array: np.ndarray) -> Any:
    """The layout that CuPy gives an array of the host."""
    return "F" if array.flags.fnc else "C"

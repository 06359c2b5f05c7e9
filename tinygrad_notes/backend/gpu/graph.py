"""A step recorded as one CUDA graph, matrix products (cublas.py) included.

Arrays made meanwhile come from a pool of the recording's own, which gives their memory to nobody else; one
that the step has freed may share memory with a later one.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import cupy
import numpy as np

from ..capture import CaptureError

current: list[Recorder] = []  # the recording under way, or none


class Recorder:
    """What one step asks of the device, to be done again on the same memory."""

    def __init__(self) -> None:
        self._stream = cupy.cuda.Stream(non_blocking=True)
        self._pool = cupy.cuda.MemoryPool()
        self._graph: Any = None

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Record what is asked of the device inside a ``with`` block. Nothing is computed."""
        cupy.get_default_memory_pool().free_all_blocks()  # what plain steps used before
        with self._stream, cupy.cuda.using_allocator(self._pool.malloc):
            self._stream.begin_capture()
            current.append(self)
            try:
                yield
            except BaseException:
                with suppress(RuntimeError):  # the stream becomes free; CUDA says again that it failed
                    self._stream.end_capture()
                raise
            finally:
                current.clear()
            self._graph = self._stream.end_capture()

    def replay(self) -> None:
        """Do everything again, in the current stream."""
        self._graph.launch()


def refuse_host(what: str) -> None:
    """Raise CaptureError in a recording: it would repeat what the host says now."""
    if current:
        raise CaptureError(
            f"{what}, and a captured step would repeat the numbers of now; hand them over as an argument, "
            "make them on the device, or take them from backend.each_step"
        )


def renumber(device: Any, host: np.ndarray) -> None:
    """Copy `host` into the array `device`, in the order of the current stream; `host` is free afterwards."""
    device.set(host, stream=cupy.cuda.get_current_stream())

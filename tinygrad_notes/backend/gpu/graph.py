"""A step recorded as CUDA graphs, with what CuPy does not record between them.

While a stream captures, CuPy (13 and 14) refuses to call cuBLAS. So a recording ends before each matrix
product, notes the product with its memory, and goes on in another graph: a replay launches graphs and calls
products in turn. Arrays made meanwhile come from a pool of the recording's own, which gives their memory to
nobody else; those that a product reads or writes are held, the others may share memory with later ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import SimpleNamespace
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
        self._parts: list[Callable[[], Any]] = []

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
                self._abandon()
                raise
            finally:
                current.clear()
            self._end()

    def apart(self, work: Callable[[], Any]) -> None:
        """Call `work()` at this place of each replay; it must write to memory that is there already."""
        self._end()
        self._parts.append(work)
        self._stream.begin_capture()

    def replay(self) -> None:
        """Do everything again, in the current stream."""
        for part in self._parts:
            part()

    def _end(self) -> None:
        self._parts.append(self._stream.end_capture().launch)

    def _abandon(self) -> None:
        """End a capture that failed, so that the stream is free; CUDA says again that it failed."""
        with suppress(RuntimeError):
            self._stream.end_capture()
        self._parts.clear()


def matmul(a: Any, b: Any, out: Any = None) -> Any:
    """cupy.matmul, also in a recording."""
    if not current:
        return cupy.matmul(a, b) if out is None else cupy.matmul(a, b, out=out)
    if out is None:
        out = cupy.empty(_product_shape(a.shape, b.shape), np.result_type(a.dtype, b.dtype))
    current[-1].apart(lambda: cupy.matmul(a, b, out=out))
    return out


def einsum(subscripts: str, *operands: Any) -> Any:
    """cupy.einsum with an explicit result, "ij,jk->ik", also in a recording."""
    if not current:
        return cupy.einsum(subscripts, *operands)
    letters, _, result = subscripts.partition("->")
    lengths = {
        letter: length
        for term, operand in zip(letters.split(","), operands, strict=True)
        for letter, length in zip(term, operand.shape, strict=True)
        if length != 1
    }
    shape = tuple(lengths.get(letter, 1) for letter in result)
    out = cupy.empty(shape, np.result_type(*(operand.dtype for operand in operands)))

    def work() -> None:
        out[...] = cupy.einsum(subscripts, *operands)

    current[-1].apart(work)
    return out


def refuse_host(what: str) -> None:
    """Raise CaptureError in a recording: it would repeat what the host says now."""
    if current:
        raise CaptureError(
            f"{what}, and a captured step would repeat the numbers of now; hand them over as an argument, "
            "make them on the device, or take them from backend.each_step"
        )


def _product_shape(a: tuple[int, ...], b: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of a @ b."""
    if len(a) == 1 or len(b) == 1:
        return (a[:-1] if len(b) == 1 else ()) + ((*b[:-2], b[-1]) if len(b) > 1 else ())
    return (*np.broadcast_shapes(a[:-2], b[:-2]), a[-2], b[-1])


def renumber(device: Any, host: np.ndarray) -> None:
    """Copy `host` into the array `device`, in the order of the current stream; `host` is free afterwards."""
    device.set(host, stream=cupy.cuda.get_current_stream())


library = SimpleNamespace(**{**vars(cupy), "matmul": matmul, "einsum": einsum})  # for the plain definitions

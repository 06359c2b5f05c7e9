"""A stream that captures: its operations are recorded, to be done again by a graph, and nothing is computed.

So that shapes are known the operations are computed all the same, but nobody can read a value before the end,
and at the end every array is as the device would leave it: those written to have their values of before,
those made in the capture hold garbage. One capture at a time; no other stream may be used meanwhile.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from ._errors import CUDARuntimeError, explained

local = threading.local()  # local.stream: the current stream of a thread, without it the null stream
_running: Capture | None = None


class Capture:
    """What one stream has recorded."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream
        self.operations: list[Callable[[], None]] = []
        self.pools: list[Any] = []
        self.invalid = False
        self._made: dict[int, np.ndarray] = {}
        self._roots: dict[int, Any] = {}
        self._saved: dict[int, tuple[np.ndarray, np.ndarray]] = {}

    def save(self, outs: Iterable[np.ndarray]) -> None:
        """Remember the values of buffers that are about to be written."""
        for out in outs:
            root = root_of(out)
            if id(root) not in self._roots and id(root) not in self._saved:
                self._saved[id(root)] = root, root.copy()

    def made(self, arrays: Iterable[np.ndarray]) -> None:
        """New buffers: they will hold garbage."""
        for array in arrays:
            root = root_of(array)
            self._made[id(array)] = array
            self._roots[id(root)] = root

    def restore(self) -> None:
        """Leave the arrays as a device does, which has computed nothing."""
        for root, values in self._saved.values():
            root[...] = values
        for array in self._made.values():
            array[...] = garbage(array.dtype)


def garbage(dtype: np.dtype) -> Any:
    """What an array holds that nobody has written."""
    if dtype.kind in "fc":
        return np.nan
    return np.frombuffer(b"\x5a" * 8)[:1].view(dtype)[0] if dtype.kind in "iu" else True


def root_of(array: Any) -> Any:
    """The array that owns the memory."""
    found = array
    while (base := getattr(array, "base", None)) is not None:
        array = base
        if isinstance(array, np.ndarray):
            found = array
    return found


def begin(stream: Any) -> None:
    """Record what this stream does."""
    global _running
    if _running is not None:
        raise CUDARuntimeError(401)
    _running = Capture(stream)


def end(stream: Any) -> Capture:
    """Stop recording; a capture in which something forbidden happened gives no graph."""
    global _running
    if _running is None or _running.stream is not stream:
        raise CUDARuntimeError(401)
    done, _running = _running, None
    done.restore()
    if done.invalid:
        raise CUDARuntimeError(901)
    return done


def captures(stream: Any) -> bool:
    """Whether this stream is capturing."""
    return _running is not None and _running.stream is stream


def recording() -> Capture | None:
    """The capture that an operation of the current stream belongs to; None where nothing captures."""
    if _running is None:
        return None
    if _running.invalid:
        raise CUDARuntimeError(901)
    if getattr(local, "stream", None) is not _running.stream:
        _running.invalid = True
        raise explained(906, "an operation on another stream than the capturing one")
    return _running


def refuse_libraries() -> None:
    """CuPy 13 and 14 call no library of CUDA's, such as cuBLAS, while the current stream captures."""
    if captures(getattr(local, "stream", None)):
        raise NotImplementedError("calling cuBLAS API during stream capture is currently unsupported")


def forbid(what: str) -> None:
    """Refuse what needs the host or the host's memory while a stream captures; the capture is then lost."""
    if _running is not None:
        _running.invalid = True
        raise explained(900, what)

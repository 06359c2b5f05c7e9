"""cupy.cuda.graph: what a stream has recorded, done again as often as wanted."""

from __future__ import annotations

import weakref
from typing import Any

import numpy as np

from .. import _capture, _standin
from . import memory


class Graph:
    """Made by ``Stream.end_capture`` alone."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise NotImplementedError(
            "currently this class cannot be initiated by the user and must be created via stream capture"
        )

    @classmethod
    def _of(cls, capture: _capture.Capture) -> Graph:
        self = object.__new__(cls)
        self._operations = capture.operations
        self._pools = [(weakref.ref(pool), pool._freed) for pool in capture.pools]
        return self

    def launch(self, stream: Any = None) -> None:
        """Do every recorded operation, in order, on the same memory: one launch."""
        _capture.forbid("a graph launched inside a capture")
        for reference, freed in self._pools:
            pool = reference()
            if pool is None or pool._freed != freed:
                raise RuntimeError("cupy stand-in: the memory pool of the graph's arrays was freed")
            if pool is memory._get_default_memory_pool():
                raise RuntimeError(
                    "cupy stand-in: the graph's arrays were allocated from the default memory pool, which "
                    "gives their memory to others; capture inside cupy.cuda.using_allocator(pool.malloc)"
                )
        _standin.launched()
        with np.errstate(all="ignore"):
            for operation in self._operations:
                operation()

    def upload(self, stream: Any = None) -> None:
        """Send the graph to the device before its first launch."""

"""Kernels in CUDA C: compiled once for each text, one thread for each element."""

from __future__ import annotations

import functools
from typing import Any

import cupy
import numpy as np

THREADS = 256  # of a block


@functools.cache
def kernel(source: str, name: str) -> Any:
    """The function `name` of a CUDA C text; CuPy compiles it for the card at hand at the first call."""
    return cupy.RawKernel(source, name, options=("--std=c++17",))


def over(function: Any, count: int, *arguments: Any) -> None:
    """Run `function(count, *arguments)` on at least `count` threads; each asks whether its number is below.

    Arrays are handed over as pointers; numbers must be NumPy's, of the size that the parameter has.
    """
    if count:
        function((-(-count // THREADS),), (THREADS,), (np.int64(count), *arguments))

"""Chains of operations on stacks of matrices, such as attention: a few at a time, shared among the cores.

A rule hands the chain over as a function of its arrays; the plain definition calls it once. In pieces the
intermediates stay in the cache, and each thread multiplies with a BLAS of its own (products.py says why).
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from .blocking import BLOCK
from .fusion import cut
from .threads import parallel

SMALL = 1 << 15  # elements below which the hand-over to another thread costs more than it saves


def matrixwise(function: Callable[..., Any], *arrays: Any) -> Any:
    """function(*arrays): a tuple of arrays, made of operations on the last two axes; the others broadcast.

    What has the leading axes of the first array lies in memory as that does, over them and the row.
    """
    given = [a for a in arrays if a is not None]
    lead = np.broadcast_shapes(*(a.shape[:-2] for a in given))
    product = given[0].shape[-2] * max(a.shape[-2] for a in given)  # elements that one of two arrays may have
    if math.prod(lead) < 2 or math.prod(lead) * product < SMALL or given[0].dtype.char not in "fd":
        return function(*arrays)
    parts = cut(lead, max(1, BLOCK // product))
    lock = threading.Lock()
    outputs: list[Any] = []

    def work(_: int, start: int, stop: int) -> None:
        for part in parts[start:stop]:
            results = function(*[_piece(a, part) for a in arrays])
            with lock:
                if not outputs:
                    outputs.extend(_whole(r, lead, given[0]) for r in results)
            for whole, result in zip(outputs, results, strict=True):
                if whole is not None:
                    whole[part] = result

    parallel(work, len(parts))
    return tuple(outputs)


def _piece(a: Any, part: tuple[slice, ...]) -> Any:
    """The places `part` of the leading axes; those of length 1, or missing, stretch."""
    if a is None or a.ndim == 2:
        return a
    lead = a.shape[:-2]
    return a[
        tuple(s if n > 1 else slice(None) for n, s in zip(lead, part[len(part) - len(lead) :], strict=True))
    ]


def _whole(result: Any, lead: tuple[int, ...], first: Any) -> Any:
    """Memory for all places of one result, with the axes before the last in the order of `first`."""
    if result is None:
        return None
    shape = (*lead, *result.shape[-2:])
    if first.ndim != len(shape):
        return np.empty(shape, result.dtype)
    order = sorted(range(first.ndim - 1), key=lambda a: -first.strides[a])
    memory = np.empty([shape[a] for a in order] + [shape[-1]], result.dtype)
    return memory.transpose(*(order.index(a) for a in range(len(order))), len(order))

"""Chains of operations on rows, such as a softmax: some rows at a time in the cache, shared among cores."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

from .blocking import BLOCK, even
from .threads import parallel

LARGE = BLOCK // 2  # elements below which one call on everything is quicker


def rowwise(function: Callable[..., Any], *arrays: Any) -> Any:
    """function(*arrays) on blocks of rows, as plain.rowwise."""
    x = arrays[0]
    if x.size < LARGE or x.dtype.kind != "f" or len(x) == 1:
        return function(*arrays)
    count = len(x)
    cut = [isinstance(a, np.ndarray) and a.ndim > 0 and len(a) == count for a in arrays]

    def of(rows: slice) -> Any:
        return function(*[a[rows] if c else a for a, c in zip(arrays, cut, strict=True)])

    one = of(slice(1))
    y = np.empty((count, *one.shape[1:]), one.dtype)
    ends = even(count, max(1, BLOCK * count // x.size))
    parts = [slice(start, stop) for start, stop in itertools.pairwise(ends)]

    def work(_: int, start: int, stop: int) -> None:
        for rows in parts[start:stop]:
            y[rows] = of(rows)

    parallel(work, len(parts))
    return y

"""scatter_add on NumPy: the gradient of indexing, where repeated places accumulate.

np.add.at is quick only in one dimension, so integer arrays on the leading axes (an embedding, the label's
column of a loss) are turned into flat positions first: four to eight times faster than rows at a time.
"""

from __future__ import annotations

from types import EllipsisType
from typing import Any

import numpy as np

from . import plain
from .blocking import Array
from .geometry import Shape


def scatter_add(g: Array, index: Any, shape: Shape) -> Array:
    """zeros(shape) with g added at [index], as plain.scatter_add."""
    parts = index if isinstance(index, tuple) else (index,)
    if all(_is_basic(part) for part in parts) or _is_mask(index):
        # Slices, integers and one mask name every place at most once.
        out = np.zeros(shape, dtype=g.dtype)
        out[index] = g
        return out
    if all(_is_integers(part) for part in parts):
        return _add_rows(g, parts, shape)
    return plain.scatter_add(np, g, index, shape)


def _add_rows(g: Array, parts: tuple[Array, ...], shape: Shape) -> Array:
    """Integer arrays on the leading axes: row r of g goes to the flat places rows[r]·width + 0, 1, …"""
    leading, rest = shape[: len(parts)], shape[len(parts) :]
    wrapped = []
    for axis, (narrow, size) in enumerate(zip(parts, leading, strict=True)):
        part = narrow.astype(np.intp)  # in uint8 a size of 256 is no number
        if part.size and not -size <= part.min() <= part.max() < size:
            raise IndexError(
                f"scatter_add: index {int(part.min())}…{int(part.max())} is out of bounds for axis "
                f"{axis} of shape {tuple(shape)}; it must lie in [{-size}, {size})"
            )
        wrapped.append(np.where(part < 0, part + size, part))
    rows = wrapped[0]
    for part, size in zip(wrapped[1:], leading[1:], strict=True):
        rows = rows * size + part
    width = int(np.prod(rest))
    places = (rows[..., None] * width + np.arange(width)).reshape(-1)
    out = np.zeros(int(np.prod(shape)), dtype=g.dtype)
    np.add.at(out, places, np.broadcast_to(g, (*rows.shape, *rest)).reshape(-1))
    return out.reshape(shape)


def _is_basic(part: Any) -> bool:
    kinds = (int, np.integer, slice, EllipsisType)
    return part is None or (isinstance(part, kinds) and not isinstance(part, bool))


def _is_mask(index: Any) -> bool:
    return isinstance(index, np.ndarray) and index.dtype == bool


def _is_integers(part: Any) -> bool:
    return isinstance(part, np.ndarray) and part.dtype.kind in "iu"

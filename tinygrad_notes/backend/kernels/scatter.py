"""Rows of a table by number, and scatter_add on NumPy: the gradient of indexing, where repeats accumulate.

np.add.at is quick only in one dimension, so integer arrays on the leading axes (an embedding, the label's
column of a loss) are turned into flat positions first: four to eight times faster than rows at a time. Two
neighboring numbers of a row are added as one complex number, which saves a third of that. Sorting the rows
for np.add.reduceat, or np.bincount (in float64), takes two to four times as long for 300 to 8,000 rows of a
table of 65 to 71,000; a product with one-hot rows is quicker only for tables of a few rows.
"""

from __future__ import annotations

import math
from types import EllipsisType
from typing import Any

import numpy as np

from . import plain
from .blocking import Array
from .geometry import Shape

PAIRS = {"f": np.complex64, "d": np.complex128}  # two reals side by side


def scatter_add(g: Array, index: Any, shape: Shape) -> Array:
    """zeros(shape) with g added at [index], as plain.scatter_add."""
    parts = index if isinstance(index, tuple) else (index,)
    if all(_is_basic(part) for part in parts) or _is_mask(index):
        # Slices, integers and one mask name every place at most once.
        out = np.zeros(shape, dtype=g.dtype)
        out[index] = g
        return out
    if g.dtype.char == "e":  # adds up in float32, as every sum: float16 counts to 2048
        return scatter_add(g.astype(np.float32), index, shape).astype(g.dtype)
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
    width = math.prod(rest)
    out = np.zeros(math.prod(shape), dtype=g.dtype)
    flat, values = out, np.broadcast_to(g, (*rows.shape, *rest)).reshape(-1)
    if width % 2 == 0 and g.dtype.char in PAIRS:
        pair = PAIRS[g.dtype.char]
        flat, values, width = flat.view(pair), np.ascontiguousarray(values).view(pair), width // 2
    np.add.at(flat, (rows[..., None] * width + np.arange(width)).reshape(-1), values)
    return out.reshape(shape)


def take_rows(x: Array, ids: Array, padding_idx: int | None, row: Array | None) -> Array:
    """y[i] = x[ids[i]], as plain.take_rows; ValueError names an id out of range."""
    if ids.size and not (ids.min() >= 0 and ids.max() < len(x)):
        wrong = ids[(ids < 0) | (ids >= len(x))].flat[0]
        raise ValueError(f"index {wrong} is not in 0..{len(x) - 1}")
    y = x.take(ids, axis=0)
    if padding_idx is not None:
        y[ids == padding_idx] = 0 if row is None else row
    return y


def add_rows(g: Array, ids: Array, rows: int, padding_idx: int | None) -> Array:
    """out[v] = Σ g[i] over ids[i] = v, as plain.add_rows."""
    out = scatter_add(g, ids, (rows, g.shape[-1]))
    if padding_idx is not None:
        out[padding_idx] = 0
    return out


def _is_basic(part: Any) -> bool:
    kinds = (int, np.integer, slice, EllipsisType)
    return part is None or (isinstance(part, kinds) and not isinstance(part, bool))


def _is_mask(index: Any) -> bool:
    return isinstance(index, np.ndarray) and index.dtype == bool


def _is_integers(part: Any) -> bool:
    return isinstance(part, np.ndarray) and part.dtype.kind in "iu"

"""Cutting a batch of images into blocks that fit the cache, lifting one out with its padding, walking it."""

from __future__ import annotations

import itertools
import operator
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from .threads import threads

Array = Any
Block = tuple[int, int, int, int]

# Elements that one NumPy call of a thread handles. After each call the thread asks for the interpreter lock
# again, and if another holds it sleeps for some 40 µs: of short calls most of the time would be that.
BLOCK = 1 << 18


def blocks(images: int, rows: int, cols: int, target: int) -> list[Block]:
    """Blocks (n0, n1, r0, r1) of at most about `target` of the images·rows·cols places of a batch:
    several whole images, or some rows of one; of even size, and a multiple of the threads."""
    together = max(1, target // (rows * cols))
    if together > 1:
        pieces = even(images, together)
        return [(n0, n1, 0, rows) for n0, n1 in itertools.pairwise(pieces)]
    pieces = even(rows, max(1, target // cols), images)
    return [(n, n + 1, r0, r1) for n in range(images) for r0, r1 in itertools.pairwise(pieces)]


def even(count: int, most: int, times: int = 1) -> list[int]:
    """Ends of equal pieces of range(count), each at most `most`; pieces·times fills the threads."""
    pieces = -(-count // most)
    while (pieces * times) % threads() and pieces < count:
        pieces += 1
    return [count * i // pieces for i in range(pieces + 1)] if count else [0]


def places(block: Block, cols: int) -> int:
    """Number of places in a block of rows of `cols`."""
    n0, n1, r0, r1 = block
    return (n1 - n0) * (r1 - r0) * cols


def take(scratch: Array, *shape: int) -> Array:
    """The head of a flat scratch buffer, shaped."""
    size = 1
    for n in shape:
        size *= n
    return scratch[:size].reshape(shape)


def cut(x: Array, top: int, left: int, height: int, width: int, channels_last: bool) -> Array:
    """x[:, :, top : top+height, left : left+width] of x (N, C, H, W), with zeros outside x.

    In memory the channels, or else the columns, are contiguous; a view of x where it can be.
    """
    n, c, h, w = x.shape
    inside = top >= 0 and left >= 0 and top + height <= h and left + width <= w
    if inside and x.strides[1 if channels_last else 3] == x.itemsize:
        return x[:, :, top : top + height, left : left + width]
    y0, y1 = max(0, top), min(h, top + height)
    x0, x1 = max(0, left), min(w, left + width)
    if channels_last:
        part = np.zeros((n, height, width, c), dtype=x.dtype).transpose(0, 3, 1, 2)
    else:
        part = np.zeros((n, c, height, width), dtype=x.dtype)
    if y0 < y1 and x0 < x1:
        part[:, :, y0 - top : y1 - top, x0 - left : x1 - left] = x[:, :, y0:y1, x0:x1]
    return part


def walk(x: Array, *axes: tuple[int, int, int], start: tuple[int, int] = (0, 0)) -> Array:
    """x walked otherwise: an axis of the view is (axis of x, step, count), `count` places of x, `step` apart.

    Several may walk one axis of x: their steps add up, which makes windows. `start` (axis, place) is where
    the walk begins. Raises IndexError where it would leave x. To join two axes, reshape the view: no stride
    of one axis may be taken for a distance along another, since NumPy leaves any stride on an axis of length
    1, also after `ascontiguousarray`.
    """
    shape, strides, last = [], [], [0] * x.ndim
    last[start[0]] = start[1]
    for axis, step, count in axes:
        shape.append(count)
        strides.append(step * x.strides[axis])
        last[axis] += step * (count - 1)
    if 0 not in shape and any(map(operator.ge, last, x.shape)):
        raise IndexError(f"walk: the places {tuple(last)} are outside of {x.shape}; walk fewer")
    if x.flags.c_contiguous:  # as_strided is Python, and holds the interpreter lock for 9 µs
        return np.ndarray(shape, x.dtype, x, start[1] * x.strides[start[0]], strides)
    return as_strided(x[(slice(None),) * start[0] + (slice(start[1], None),)], shape, strides)
